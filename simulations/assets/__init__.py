"""Scripts that make what `fedmvp_assets` carries. Needed to make the assets, never to use them."""
