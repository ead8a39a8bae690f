"""Tests of app/hub."""
