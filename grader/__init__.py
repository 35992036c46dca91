"""The instructor's package: builds notebooks, grades submissions, reports. Not shipped to students."""

import sys
from typing import Any

# jsonschema checks addresses with it where it is installed. It builds a grammar when it is imported, which is
# half of the time that nbgrader takes to start; nothing here has addresses to check.
modules: dict[str, Any] = sys.modules
modules.setdefault("rfc3987_syntax", None)
