"""The builder that needs no daemon: a Dockerfile of COPY and settings becomes layers and an image, made right here."""
