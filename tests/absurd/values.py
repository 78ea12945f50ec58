"""What no argument expects, as source text: each line is made anew for the call that meets it.

Names that may be used are those of `world.names`: np, torch, tg, the small inputs, and `F`, a
folder with a few files.
"""

PLAIN = """
None
True
False
...
NotImplemented
''
'abc'
'relu'
'auto'
'a' * 5000
'dense relu dense'
'\\x00'
'\\x1b[31m\\u202e\\ud800'
b''
b'abc'
bytearray(b'abc')
memoryview(b'abc')
0
1
-1
3
2**31
10**9
2**63
10**400
-10**400
0.0
-0.0
0.5
-1.5
1e-320
1e300
-1e300
float('nan')
float('inf')
-float('inf')
1j
complex('nan')
Fraction(1, 3)
Decimal('0.5')
Decimal('NaN')
date(2020, 1, 1)
timedelta(1)
"""

CONTAINERS = """
[]
()
{}
set()
{1, 2}
[None]
[[]]
[[], [1]]
[[1, 2], [3]]
[[1, 2], [3, 4]]
[1, 2, 3]
(1, 2, 3)
(0,)
(-1, 3)
(3, 3)
(2.5, 1)
(10**9, 10**9)
['a', 'b']
[1, 'a', None]
[[1.0, 'x']]
[float('nan')]
[10**400]
[[[[[[[1.0]]]]]]]
[1j]
range(3)
iter([1, 2, 3])
(i for i in range(3))
{'a': 1}
{'NTK': None}
{1: tg.NTK('dense relu dense')}
{'a': [1, 2], 'b': [3, 4]}
[tg.NTK('dense relu dense')]
nested(2000)
"""

OBJECTS = """
len
np.tanh
abs
lambda *a, **k: None
lambda *a, **k: 1 / 0
lambda *a, **k: 'text'
lambda *a, **k: np.ones(3)
int
object()
object
type
ValueError('text')
np
Silent()
Hostile()
"""

NUMPY = """
np.float64('nan')
np.float32(0.5)
np.float16(1)
np.longdouble(0.5)
np.int8(-1)
np.int64(3)
np.uint64(2**64 - 1)
np.bool_(True)
np.str_('abc')
np.complex64(1j)
np.datetime64('2020-01-01')
np.datetime64('NaT')
np.timedelta64(1, 's')
np.array(1.5)
np.array(3)
np.array('abc')
np.array(None)
np.array([])
np.array([1.0])
np.array([0, 1, 0, 1, 0, 1])
np.array([1.0, 2.0, 3.0])
np.arange(6.0)
np.arange(24.0).reshape(2, 3, 4)
np.zeros((6, 3))
np.zeros((3, 6))
np.zeros((0, 3))
np.zeros((6, 0))
np.zeros((0, 0))
np.zeros((6, 6))
np.zeros((1, 1, 1, 1, 1, 1, 1))
np.ones((6, 8, 8))
np.ones((6, 3), bool)
np.ones((6, 3), np.float16)
np.ones((6, 3), np.longdouble)
np.ones((6, 3), '>f4')
np.ones((6, 3), '>f8')
np.ones((6, 3), np.uint64) * np.uint64(2**64 - 1)
np.ones((6, 3), np.int8)
np.ones((6, 3), complex)
np.ones((6, 3), 'datetime64[s]')
np.ones((6, 3), 'timedelta64[s]')
np.ones((6, 3), object)
np.full((6, 3), None)
np.full((6, 3), 'a')
np.full((6, 3), '1.5')
np.full((6, 3), b'a')
np.zeros(6, [('a', float), ('b', int)])
np.array(['a', 'b', 'a', 'b', 'a', 'b'])
np.array(['a', None, 1, 2.5, 'b', 'b'], dtype=object)
np.array(['a', 'b', 'a', 'b', 'a', 'b'], dtype=np.dtypes.StringDType())
np.full((6, 3), np.nan)
np.full((6, 3), np.inf)
np.where(np.arange(18).reshape(6, 3) == 7, np.nan, 1.0)
np.full((6, 3), 1e200)
np.full((6, 3), 1e-200)
np.full((6, 3), 3e38, np.float32)
np.full((6, 3), 1e308)
np.arange(18.0).reshape(3, 6).T
np.arange(18.0).reshape(6, 3)[::-1]
np.arange(36.0).reshape(6, 6)[:, ::2]
np.arange(36.0).reshape(6, 6)
np.eye(6)
-np.eye(6)
np.broadcast_to(np.arange(3.0), (6, 3))
np.broadcast_to(np.zeros(()), (10**6, 1000))
np.broadcast_to(np.zeros((), np.int8), (10**6, 1000))
np.broadcast_to(np.zeros(()), (6, 10**9))
frozen(np.ones((6, 3)))
np.ma.masked_array(np.ones((6, 3)), np.eye(6, 3))
np.ma.masked_array(np.ones((6, 3)))
np.ma.masked_array(np.arange(6), [0, 1, 0, 0, 0, 0])
np.ma.masked
np.matrix(np.eye(6))
np.rec.array([(1, 2.0)] * 6)
memoryview(np.ones((6, 3)))
sparse.eye(6, format='csr')
sparse.coo_array(np.ones((6, 3)))
np.dtype(float)
np.float32
'float16'
'<f4'
np.random.default_rng(0)
np.random.RandomState(0)
"""

PATHS = """
Path('')
Path('.')
Path('missing/folder/file.npz')
'missing.npz'
F
str(F)
F / 'text.txt'
F / 'table.csv'
F / 'empty'
F / 'array.npy'
F / 'objects.npy'
F / 'arrays.npz'
F / 'broken.npz'
F / 'model.npz'
F / 'K.zarr'
F / 'pair.zarr'
F / 'text.txt' / 'below'
F / 'pictures'
F / 'loop'
F / ('x' * 300)
Path('/dev/null')
Path('/proc/self/mem')
io.BytesIO(b'abc')
open(F / 'text.txt')
"""

OURS = """
tg.NTK
tg.NTK('dense relu dense')
tg.NNGP('dense relu dense', normalize=True)
tg.NTK('conv3 relu gap dense')
tg.NTK('dense relu dense') + tg.NNGP('dense sin dense')
tg.parse('conv3 relu gap dense')
tg.parse('dense gelu dense')
tg.Sequential()
tg.ReLU
tg.ReLU()
tg.Dense()
tg.Conv(3)
tg.Residual(tg.ReLU())
tg.Layer()
tg.kernels.Kernel()
tg.kernels.Prepared(X)
tg.gram('dense relu dense', X)
tg.gram.open(F / 'K.zarr')
tg.KernelRegressor()
tg.KernelClassifier(alpha=0.1).fit(X, labels)
tg.learn.CG()
tg.data.load(F / 'table.csv')
tg.bias.deformations.Rotation(0.1)
tg.bias.targets.power()
tg.bias.spectrum('dense relu dense', 3, 10)
tg.InputError
"""

TORCH = """
torch.ones(6, 3)
torch.ones(6, 3, dtype=torch.float64, requires_grad=True)
torch.ones(6, 3, requires_grad=True) * 2
torch.ones(6, requires_grad=True)
torch.ones(6, 3, dtype=torch.complex64).imag
torch.ones(6, 3, dtype=torch.complex64)
torch.ones(6, 3, dtype=torch.complex64).conj()
torch._neg_view(torch.ones(6, 3))
torch.ones(6, 3).to_sparse()
torch.ones(6, 3).to_sparse_csr()
torch.ones(6, 3, device='meta')
torch.ones(6, 3, dtype=torch.bfloat16)
torch.ones(6, 3, dtype=torch.float16)
torch.ones(6, 3, dtype=torch.float8_e5m2)
torch.ones(6, 3, dtype=torch.int32)
torch.ones(6, 3, dtype=torch.bool)
torch.full((6, 3), float('nan'))
torch.ones(0, 3)
torch.ones(6, 0)
torch.tensor(0.5)
torch.tensor(0.5, requires_grad=True)
torch.tensor(3)
torch.tensor([])
torch.ones(6, 3).expand(6, 3).t()
torch.ones(1, 3).expand(6, 3)
torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
torch.quantize_per_tensor(torch.ones(6, 3), 1.0, 0, torch.qint8)
torch.nn.Parameter(torch.ones(6, 3))
torch.nn.Linear(3, 1)
torch.nn.Sequential()
torch.nn.ReLU()
torch.nn.LazyLinear(1)
torch.tanh
torch.float16
torch.float64
torch.device('cpu')
torch.nn.Linear
"""

TABLES = """
pandas.DataFrame(X)
pandas.DataFrame({'a': list('abcdef'), 'b': range(6)})
pandas.DataFrame(X).astype('Float64')
pandas.DataFrame()
pandas.Series(range(6))
pandas.Series(list('ababab'), dtype='category')
pandas.NA
polars.DataFrame({'a': [1.0, 2, 3, 4, 5, 6], 'b': [1.0, None, 3, 4, 5, 6]})
polars.LazyFrame({'a': [1.0] * 6})
"""


def values(torch: bool, tables: tuple[str, ...] = ()) -> list[str]:
    """All of them, with or without those that need PyTorch or libraries of tables."""
    parts = [PLAIN, CONTAINERS, OBJECTS, NUMPY, PATHS, OURS, *([TORCH] if torch else [])]
    lines = [line for part in parts for line in part.strip("\n").splitlines()]
    frames = TABLES.strip().splitlines()
    return lines + [line for line in frames if line.startswith(tables or "no table")]
