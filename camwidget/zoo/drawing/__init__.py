"""What pictures are drawn with: noise, palettes, light, outlines, grounds, and what stands on them."""
