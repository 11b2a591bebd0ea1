"""What we talk about: values and rules, with no input or output."""
