"""How Sphinx builds the site: `make docs`. Warnings are errors, and nothing is loaded from the network."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for reference_pages

import egrm_graph

project = "egrm-graph"
release = egrm_graph.__version__
html_title = f"egrm-graph {release}"
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "reference_pages"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3  # links to headings down to ### are checked
myst_links_external_new_tab = False
smartquotes = False  # `--option` keeps its two hyphens
default_role = "code"  # docstrings mark code with single backticks
nitpicky = False

autodoc_inherit_docstrings = False  # those of LangChain are in another format
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

linkcheck_timeout = 20
linkcheck_ignore = [r"http://localhost.*", r"http://gpu.*"]
