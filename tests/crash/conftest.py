"""Says what an assertion compared in the modules that the crash tests share, too."""

import pytest

pytest.register_assert_rewrite("tests.crash.operations", "tests.crash.world")
