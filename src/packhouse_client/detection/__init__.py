"""What kind of package a file is, told by what is in it rather than by its name alone."""

from packhouse_client.detection.kinds import Finding, detect, is_called_a_conda_package, is_project_folder
from packhouse_client.detection.types import PackageType

__all__ = ["Finding", "PackageType", "detect", "is_called_a_conda_package", "is_project_folder"]
