"""Readers of the data sets whose pictures have several labels, and of one's own such pictures.

By default a reader takes every picture. OpenFedML's protocol takes those with a smallest number of
labels; table.py passes it on. `csv_folder` reads one's own pictures and is not in that table, since
nothing is known of them beforehand.
"""
