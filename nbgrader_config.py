# Read by nbgrader's Validate button when JupyterLab was started in this folder.
c = get_config()  # noqa: F821  nbgrader puts it there
c.ExecutePreprocessor.timeout = 600  # seconds a cell; nbgrader's own 30 are too few for a model
