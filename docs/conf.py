"""How Sphinx builds the documentation site from this folder: see CONTRIBUTING.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_site"))

import tangency
from tangency.engines.fused import warm

warm._PATIENCE = 1e6  # no word on compiling in the output of examples

project = "tangency"
author = "the tangency developers"
version = release = tangency.__version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "docstrings",
    "links",
    "names",
]
exclude_patterns = ["_build", "reference/_templates"]
templates_path = ["reference/_templates"]
# Anchors as code-hosting pages make them, so that links hold in both places.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
highlight_language = "text"
smartquotes = False
pygments_style = "default"
pygments_dark_style = "github-dark"

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
python_display_short_literal_types = True
maximum_signature_line_length = 78
add_module_names = False
toc_object_entries = False

sphinx_gallery_conf = {
    "examples_dirs": ["../examples/tutorials", "../examples/gallery"],
    "gallery_dirs": ["tutorials", "gallery"],
    "filename_pattern": r"\.py$",
    "image_scrapers": ("pictures.scraper",),
    "reset_modules": (),
    "capture_repr": ("__repr__",),
    "ignore_repr_types": r"matplotlib|'list'",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "min_reported_time": 1e9,
    "show_memory": False,
    "show_signature": False,
    "download_all_examples": False,
    "within_subsection_order": "FileNameSortKey",
    "write_computation_times": False,
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = "tangency"
html_static_path = ["_site/static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}
