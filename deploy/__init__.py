"""Getting it out: the image's neighbours, and scaling past one machine. Starts the API; knows no model."""
