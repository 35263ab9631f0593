"""The op registry: every operator of linnet, one class each, one file per family."""

from .attention import *
from .base import NO_CLAMP as NO_CLAMP
from .base import Clamp as Clamp
from .base import Op as Op
from .binary import *
from .bits import *
from .cast import *
from .conv import *
from .detection import *
from .dilation import *
from .generate import *
from .indexing import *
from .integer_lstm import *
from .joining import *
from .layout import *
from .linear import *
from .local_norm import *
from .matmul import *
from .matrices import *
from .norm import *
from .pooling import *
from .quantize import *
from .reduce import *
from .relation import *
from .resize import *
from .segments import *
from .shape import *
from .spectrum import *
from .unary import *
