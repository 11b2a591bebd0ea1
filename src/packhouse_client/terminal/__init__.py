"""What people see: words and data, tables that fit, questions, progress."""
