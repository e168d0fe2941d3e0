"""Transform none is the linear one without a KLT, with blocks of one point."""

from ..linear.coder import CODER as CODER
