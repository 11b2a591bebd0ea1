"""rattler's panics as errors: faults of its Rust code, which some texts of an upstream set off.

A build number of twenty digits in a spec is such a text. A panic is no Exception, so that it would end a
worker; all it means to us is that rattler cannot read the text.
"""

from types import TracebackType

_PANICS = frozenset({("pyo3_runtime", "PanicException"), ("pyo3_async_runtimes", "RustPanic")})
"""By name: pyo3 makes these classes anew in each extension, where they cannot be imported from."""


class Panicked(Exception):
    """In place of the panic."""


class _PanicsAsErrors:
    """Keeps nothing, so one serves all; a generator would cost more than most calls that it guards."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and (kind.__module__, kind.__name__) in _PANICS:
            raise Panicked(f"rattler cannot read it ({error})") from error


panics_as_errors = _PanicsAsErrors()
"""`with panics_as_errors:` around a call of rattler with somebody else's text; raises Panicked."""
