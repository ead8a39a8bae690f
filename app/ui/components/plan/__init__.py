"""Parts of the load plan: pictures of memory, sliders, words."""
