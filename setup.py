"""Build the linnet package from the top-level folders of this repository."""

from __future__ import annotations

import compileall
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any, ClassVar

from setuptools import Command, Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
TOP_FOLDERS = {
    "linnet": "runtime",
    "linnet.kernels": "kernels",
    "linnet.converters": "converters",
    "linnet.benchmarks": "benchmarks",
}

# The one ISA flag table: per target, weakest first, name -> compiler flags.
ISAS: dict[str, dict[str, list[str]]] = {
    "x86_64": {
        "base": [],
        "avx2": ["-mavx2", "-mfma", "-mf16c"],
        "avx512vnni": [
            "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni",
            "-mfma", "-mf16c", "-mprefer-vector-width=512",
        ],
    },
    "aarch64": {
        "base": [],
        "dotprod": ["-march=armv8.2-a+dotprod"],
        "i8mm": ["-march=armv8.2-a+dotprod+i8mm"],
    },
    "armv7l": {"base": ["-march=armv7-a", "-mfpu=neon-vfpv4", "-mfloat-abi=hard"]},
}  # fmt: skip
CXX_FLAGS = [
    "-std=c++17", "-O3", "-g0", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno",
    "-fno-trapping-math", "-ffunction-sections", "-fdata-sections", "-Wall", "-Wextra", "-pthread",
]  # fmt: skip

# Kernels neither throw nor unwind; exception tables would only add size and weak symbols.
ISA_UNIT_FLAGS = ["-fno-exceptions", "-fno-rtti", "-fno-asynchronous-unwind-tables"]

# Long chains of operations on vectors side by side take turns; elsewhere it would cost registers.
SCHEDULED_UNITS = {"unit_activation.cpp", "unit_unary.cpp"}


# Release wheels (LINNET_PORTABLE) run with glibc 2.17: what the static libstdc++ and kernels take
# from newer ones is wrapped, and the unwinder is the system's, because the static one needs a newer
# loader.
OLD_GLIBC = "core/old_glibc.cpp"
WRAPPED = (
    "pthread_create", "pthread_once", "pthread_detach", "pthread_mutex_trylock",
    "__pthread_key_create", "fstat64", "exp",
)  # fmt: skip
PORTABLE_LINK = [f"-Wl,--wrap={name}" for name in WRAPPED]


def target() -> str:
    """Return the machine that is built for; `sysconfig` knows it in cross builds too."""
    machine = sysconfig.get_platform().rpartition("-")[2].lower()
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)


ISA_FLAGS = ISAS.get(target(), {"base": []})


def packages() -> dict[str, str]:
    """Return every package and its folder: the four top folders and their subpackages."""
    found = {}
    for package, folder in TOP_FOLDERS.items():
        for init in sorted(Path(folder).rglob("__init__.py")):
            parts = init.parent.relative_to(folder).parts
            found[".".join((package, *parts))] = str(init.parent)
    return found


def mirror_packages() -> str:
    """Link the top folders as a real package tree, for cimport, type checkers and doctests."""
    top = ROOT / "build" / "tree"
    home = top / "linnet"
    home.mkdir(parents=True, exist_ok=True)
    wanted = {home / entry.name: entry for entry in (ROOT / "runtime").iterdir()}
    wanted |= {
        home / package.rpartition(".")[2]: ROOT / folder
        for package, folder in TOP_FOLDERS.items()
        if package != "linnet"
    }
    for link in home.iterdir():
        if link.is_symlink() and link not in wanted:
            link.unlink()
    for link, source in wanted.items():
        if not link.is_symlink():
            link.symlink_to(os.path.relpath(source, home))
    return str(top)


def compile_bytecode(tree: str) -> None:
    """Compile the sources in a package tree, as installers do: importing them takes half the time.

    An environment that sets PYTHONDONTWRITEBYTECODE would compile them in every process.
    """
    for package in packages():
        compileall.compile_dir(Path(tree, *package.split(".")), maxlevels=0, quiet=1)


def is_stale(obj: str, source: str) -> bool:
    """Return whether an object is older than anything that it was made from."""
    depfile = Path(obj).with_suffix(".d")
    if not (os.path.exists(obj) and depfile.exists()):
        return True
    made = os.stat(obj).st_mtime
    names = depfile.read_text().replace("\\\n", " ").partition(":")[2].split()
    used = [source, "setup.py", *names]
    return any(not os.path.exists(name) or os.stat(name).st_mtime > made for name in used)


def weak_symbols(obj: str) -> list[str]:
    """Return the symbols of an object that a linker may take for another ISA's."""
    listing = subprocess.check_output([os.environ.get("NM", "nm"), "-C", obj], text=True)
    return [line for line in listing.splitlines() if re.match("[0-9a-f]+ [WVu] ", line)]


class IsaExtension(Extension):
    """An extension some of whose sources are compiled once per instruction set."""

    def __init__(self, *args: Any, isa_sources: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.isa_sources = isa_sources


class BuildIsaExt(build_ext):
    """Compile every object in parallel, the ISA sources once per ISA, then link."""

    def run(self) -> None:
        """Build, and make the tree ready where it is used in place."""
        super().run()
        if self.inplace:
            compile_bytecode(mirror_packages())

    def build_extension(self, ext: Extension) -> None:
        """Compile the per-ISA objects, then let `build_ext` link them in."""
        if isinstance(ext, IsaExtension):
            jobs = [(source, "plain", []) for source in ext.sources]
            for isa, flags in ISA_FLAGS.items():
                jobs += [(source, isa, flags) for source in ext.isa_sources]
            ext.extra_objects = self.compile_all(ext, jobs)
            ext.sources, ext.depends = [], ext.extra_objects
        super().build_extension(ext)

    def compile_all(self, ext: Extension, jobs: list[tuple[str, str, list[str]]]) -> list[str]:
        """Compile what is stale and return every object."""
        compiler = [*self.compiler.compiler_so_cxx] or [*self.compiler.compiler_so]
        includes = [f"-I{path}" for path in [*ext.include_dirs, *self.compiler.include_dirs]]
        defines = [f"-D{name}={value}" for name, value in ext.define_macros]
        commands, objects = [], []
        for source, isa, flags in jobs:
            obj = Path(self.build_temp) / isa / Path(source).with_suffix(".o")
            obj.parent.mkdir(parents=True, exist_ok=True)
            objects.append(str(obj))
            if not self.force and not is_stale(str(obj), source):
                continue
            macro = [*ISA_UNIT_FLAGS, f"-DLINNET_ISA={isa}", f"-DLINNET_ISA_{isa}=1"]
            if Path(source).name in SCHEDULED_UNITS:
                macro.append("-fschedule-insns")
            if isa == "plain":  # runs at load time only: small beats fast
                macro = ["-Os"] if Path(source).name.startswith("bind") else ["-O2"]
            commands.append(
                [*compiler, *includes, *defines, *ext.extra_compile_args, *flags, *macro,
                 "-MMD", "-c", source, "-o", str(obj)]
            )  # fmt: skip
        run_parallel(commands)
        for obj, (_, isa, _) in zip(objects, jobs, strict=True):
            if isa != "plain" and (weak := weak_symbols(obj)):
                raise SystemExit(f"{obj}: symbols shared across ISAs:\n" + "\n".join(weak))
        return objects


def run_parallel(commands: list[list[str]]) -> None:
    """Run the commands, as many at a time as there are cores; stop at the first failure."""
    from concurrent.futures import ThreadPoolExecutor

    jobs = int(os.environ.get("LINNET_JOBS", "0")) or len(os.sched_getaffinity(0))

    def run(command: list[str]) -> None:
        print("compiling", command[-3], "for", command[-1], flush=True)
        subprocess.run(command, check=True)

    with ThreadPoolExecutor(jobs) as pool:
        for future in [pool.submit(run, command) for command in commands]:
            try:
                future.result()
            except subprocess.CalledProcessError as error:
                pool.shutdown(cancel_futures=True)
                raise SystemExit(f"compiler failed on {error.cmd[-3]}") from None


class Mirror(Command):
    """Refresh build/tree after adding or changing files."""

    user_options: ClassVar[list[tuple[str, str, str]]] = []

    def initialize_options(self) -> None:
        """Nothing to set."""

    def finalize_options(self) -> None:
        """Nothing to check."""

    def run(self) -> None:
        """Make the links, and compile what they lead to."""
        compile_bytecode(mirror_packages())


def native_core() -> Extension:
    """Return the C++ core: plain sources, and ISA units compiled once per ISA."""
    import pybind11

    folder = Path("kernels/src")
    units = sorted(str(p) for p in folder.rglob("unit*.cpp"))
    portable = bool(os.environ.get("LINNET_PORTABLE"))
    plain = sorted(
        str(p)
        for p in folder.rglob("*.cpp")
        if not p.name.startswith("unit") and (portable or p != folder / OLD_GLIBC)
    )
    rows = " ".join(f"LINNET_ISA_ROW({isa})" for isa in ISA_FLAGS)
    return IsaExtension(
        "linnet.kernels._core",
        sources=plain,
        isa_sources=units,
        include_dirs=["kernels/src", pybind11.get_include()],
        define_macros=[("LINNET_ISA_ROWS", rows)],
        extra_compile_args=CXX_FLAGS,
        extra_link_args=[
            "-pthread",
            "-s",
            "-static-libstdc++",
            *(PORTABLE_LINK if portable else ["-static-libgcc"]),
            "-Wl,--gc-sections",
            "-Wl,--exclude-libs,ALL",
        ],
        language="c++",
    )


def cython_modules() -> list[Extension]:
    """Return the Cython modules: calls on arrays that must be cheap."""
    import numpy
    from Cython.Build import cythonize

    return cythonize(
        [
            Extension(
                f"linnet.kernels.{source.stem}",
                [str(source)],
                include_dirs=[numpy.get_include(), "kernels/src"],
                define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_7_API_VERSION")],
                extra_compile_args=["-O3", "-g0"],
                extra_link_args=["-s"],
            )
            for source in sorted(Path("kernels").glob("*.pyx"))
        ],
        include_path=[mirror_packages()],
        build_dir="build/cython",
        compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False},
        quiet=True,
    )


def main() -> None:
    """Run setuptools with the package map and the extension modules."""
    os.chdir(ROOT)
    mirror_packages()
    builds = not {"mirror", "egg_info", "dist_info", "--version"}.intersection(sys.argv)
    found = packages()
    setup(
        packages=list(found),
        package_dir=found,
        include_package_data=False,
        package_data={
            "linnet": ["py.typed", "format/*.md"],
            "linnet.kernels": ["*.pyi", "py.typed"],
            "linnet.benchmarks": ["instructions.json"],
            "linnet.benchmarks.latency": ["bench.schema.json"],
        },
        cmdclass={"build_ext": BuildIsaExt, "mirror": Mirror},
        ext_modules=[native_core(), *cython_modules()] if builds else [],
    )


main()
