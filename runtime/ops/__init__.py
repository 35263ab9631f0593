"""The op registry: every operator of linnet, one class each, one file per family."""

from .attention import *
from .base import NO_CLAMP as NO_CLAMP
from .base import Body as Body
from .base import Clamp as Clamp
from .base import Op as Op
from .binary import *
from .bits import *
from .body import infer_body as infer_body
from .body import run_body as run_body
from .cast import *
from .control import *
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
from .recurrent import *
from .reduce import *
from .relation import *
from .resize import *
from .segments import *
from .selection import *
from .sequence_lstm import *
from .shape import *
from .spectrum import *
from .unary import *
