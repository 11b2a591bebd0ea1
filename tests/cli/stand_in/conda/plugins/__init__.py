"""What plugins import."""

import pluggy

hookimpl = pluggy.HookimplMarker("conda")
