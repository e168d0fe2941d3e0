"""No transform is the linear one without a KLT, of blocks of one point."""

from ..linear.coder import CODER as CODER
