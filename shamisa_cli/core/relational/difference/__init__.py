"""How visible a change is: training-free measures of two images, and one difference made of them."""
