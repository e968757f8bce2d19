"""How packages and llama.cpp come into .venv: pip and uv themselves, against indexes on loopback."""

import os
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.install import kernels, llama, pip_configuration
from deploy.install.llama import Build, NoCompilerError
from deploy.install.packages import Environment, InstallError, prepare
from deploy.install.pip_configuration import UntranslatableError
from settings import ROOT
from tests.conftest import free_port

pytestmark = pytest.mark.server
UV = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
INSTALLERS = ["pip", pytest.param("uv", marks=pytest.mark.skipif(UV is None, reason="uv: `make install`"))]
AVX2 = "fpu sse4_2 avx f16c fma bmi2 avx2"
AVX512 = f"{AVX2} avx512f avx512cd avx512vl avx512dq avx512bw"


def wheel(folder: Path, name: str, version: str, code: str = "") -> Path:
    """A wheel with one module, in `folder`."""
    path, about = folder / f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info/"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{name}/__init__.py", code)
        file.writestr(about + "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(about + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(about + "RECORD", "")
    return path


@pytest.fixture
def pip_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """pip's configuration file, and no other word about indexes; its name for this test."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "UV_CACHE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    return tmp_path / "pip.conf"


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A package index on loopback: its address and its folder, one folder in it for each package."""
    folder = tmp_path_factory.mktemp("index")
    serve = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", free_port()), serve) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()


@pytest.fixture(params=INSTALLERS)
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> Environment:
    """An environment that has pip alone; uv installs into it, or pip."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    python = tmp_path / ".venv" / "bin" / "python"
    outside = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    site = next((tmp_path / ".venv").glob("lib/python*/site-packages"))
    (site / "pip").symlink_to(outside / "pip")
    return Environment(python, Path(str(UV)) if request.param == "uv" else None)


def test_pip_s_configuration_is_said_in_uv_s_words(pip_alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = pip_configuration.translate(pip_configuration.read(Path(sys.executable)))[1]  # what /etc/pip.conf says
    pip_alone.write_text(
        "[global]\nindex-url = https://user:word@one/simple\nextra-index-url = https://two/simple\n  https://three/simple\n"
        "timeout = 9\nquiet = 1\n[install]\nno-binary = a,b\nfind-links = /wheels\n"
    )
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    arguments, variables = pip_configuration.translate(pip_configuration.read(Path(sys.executable)))
    assert arguments == ["--no-binary", "a", "--no-binary", "b"]
    assert variables == {
        "UV_DEFAULT_INDEX": "https://user:word@one/simple",
        "UV_INDEX": "https://two/simple https://three/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_HTTP_TIMEOUT": "7",
        "UV_FIND_LINKS": "/wheels",
    } | dict(variables.items() & machine.items())
    monkeypatch.setenv("UV_FIND_LINKS", "/mine")  # what is said to uv itself stays
    assert "UV_FIND_LINKS" not in pip_configuration.translate({"find-links": "/wheels"})[1]


def test_an_option_without_a_word_in_uv_leaves_the_work_to_pip(
    pip_alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pip_alone.write_text("[install]\nreport = /tmp/report.json\n")
    with pytest.raises(UntranslatableError, match="report"):
        pip_configuration.translate(pip_configuration.read(Path(sys.executable)))
    assert prepare(Path(sys.executable), tmp_path / "none.txt").uv is None
    assert capsys.readouterr().out == "pip installs: its option report has no word in uv.\n"


def test_where_uv_cannot_be_had_pip_installs(
    pip_alone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pip_alone.write_text("[global]\nno-index = true\n")
    (tmp_path / "pins.txt").write_text("uv==0.0.1\n")
    assert prepare(Path(sys.executable), tmp_path / "pins.txt").uv is None
    assert capsys.readouterr().out.startswith("pip installs: uv cannot be had (")


def test_packages_come_from_the_index_that_pip_is_told(
    environment: Environment, index: tuple[str, Path], pip_alone: Path
) -> None:
    folder = index[1] / "small-thing"
    folder.mkdir(exist_ok=True)
    wheel(folder, "small_thing", "1.2.3")
    pip_alone.write_text(f"[global]\nindex-url = {index[0]}\n")
    if environment.uv is not None:
        options = pip_configuration.read(Path(sys.executable))
        environment.arguments, environment.variables = pip_configuration.translate(options)
    assert environment.version("small-thing") is None
    environment.install("small-thing==1.2.3")
    assert environment.version("small-thing") == "1.2.3"
    with pytest.raises(InstallError, match="small-thing"):
        environment.install("small-thing==9")


def test_a_ready_wheel_of_the_pinned_version_is_taken(
    environment: Environment, index: tuple[str, Path], pip_alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = llama.pin().partition("==")[2]
    folder = index[1] / "llama-cpp-python"
    folder.mkdir(exist_ok=True)
    wheel(folder, "llama_cpp_python", version, "raise OSError('made for another machine')")
    monkeypatch.setenv("LLAMA_CPP_INDEX_URL", index[0])
    assert llama.install_wheel(environment) == f"the wheel of {index[0]} does not load here"
    assert not llama.is_installed(environment)


def test_an_index_that_cannot_be_reached_is_named(
    environment: Environment, pip_alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("LLAMA_CPP_INDEX_URL", closed)
    assert (llama.install_wheel(environment) or "").startswith(f"{closed} cannot be reached")
    monkeypatch.setenv("LLAMA_CPP_INDEX_URL", "")
    assert llama.install_wheel(environment) == "LLAMA_CPP_INDEX_URL is empty"


def test_without_a_compiler_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompilerError, match="apt install build-essential") as told:
        llama.check_compiler()
    assert "\n" not in str(told.value)
    for name in ("cc", "clang++"):
        (tmp_path / name).touch(0o755)
    llama.check_compiler()
    monkeypatch.setenv("CXX", "icpx -O2")
    with pytest.raises(NoCompilerError, match="CXX=icpx is not there"):
        llama.check_compiler()


@pytest.mark.parametrize(
    ("machine", "features", "wanted"),
    [
        ("x86_64", f"{AVX512} avx512vbmi avx512_vnni avx512_bf16 amx_tile amx_int8", ["zen4", "haswell"]),
        ("x86_64", AVX512, ["skylakex", "haswell"]),
        ("amd64", f"{AVX2} avx_vnni", ["alderlake", "haswell"]),
        ("x86_64", AVX2, ["haswell"]),
        ("x86_64", "fpu", ["x64"]),
        ("aarch64", "fp asimd asimddp asimdhp", ["armv8.2_2", "armv8.0_1"]),
        ("riscv64", "", []),
    ],
)
def test_kernels_that_fit_a_cpu(machine: str, features: str, wanted: list[str]) -> None:
    name = "Features" if machine == "aarch64" else "flags"
    assert kernels.fitting(machine, f"processor\t: 0\n{name}\t\t: {features}\n") == wanted


def test_kernels_by_name() -> None:
    if not kernels.choose("all"):
        pytest.skip("ggml has one kind of kernels for this machine")
    assert kernels.choose(None) == kernels.choose("none") == []
    assert set(kernels.choose("auto")) <= set(kernels.choose("all"))
    one, *_, last = kernels.choose("all")
    assert kernels.choose(f"{last}, {one}") == [last, one]
    with pytest.raises(ValueError, match="LLAMA_CPP_KERNELS=sapphirerapids: sapphirerapids is none of"):
        kernels.choose("sapphirerapids")


@pytest.mark.skipif(platform.machine() != "x86_64" or not kernels.choose("all"), reason="elsewhere it is one library")
def test_where_nobody_says_those_are_compiled_that_fit_and_a_ready_wheel_stays(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LLAMA_CPP_KERNELS", "LLAMA_CMAKE_ARGS", "LLAMA_CPP_PICTURES"):
        monkeypatch.delenv(name, raising=False)
    usual = Build.read()
    assert usual.variants == tuple(kernels.choose("auto"))
    assert "-DGGML_BACKEND_DL=ON" in usual.switches
    assert not llama.could_be_faster(environment)
    monkeypatch.setenv("LLAMA_CPP_KERNELS", "auto")
    assert Build.read().key == usual.key
    assert llama.could_be_faster(environment) is (usual.variants[0] not in kernels.BASES)
    monkeypatch.setenv("LLAMA_CPP_KERNELS", "none")
    assert (Build.read().variants, "-DGGML_AVX2=ON" in Build.read().switches) == ((), True)


@pytest.mark.parametrize("python", [sys.executable, "/usr/bin/python3"])
def test_sources_are_unpacked_by_every_python(python: str, tmp_path: Path) -> None:
    """Debian 12's own, which the image has, knows no filters of archives."""
    if not Path(python).is_file():
        pytest.skip(f"there is no {python}")
    source = tmp_path / "source-1.0"
    source.mkdir()
    (source / "CMakeLists.txt").write_text("project(x)")
    archive = shutil.make_archive(str(tmp_path / "source"), "gztar", tmp_path, source.name)
    code = "import sys; from pathlib import Path as P; from deploy.install.llama import extract; "
    code += "extract(P(sys.argv[1]), P(sys.argv[2]))"
    subprocess.run([python, "-c", code, archive, str(tmp_path / "made")], check=True, cwd=ROOT)
    assert (tmp_path / "made" / source.name / "CMakeLists.txt").read_text() == "project(x)"


def test_sources_lose_what_is_not_called(tmp_path: Path) -> None:
    lists = tmp_path / "vendor/llama.cpp/ggml/src/CMakeLists.txt"
    lists.parent.mkdir(parents=True)
    (tmp_path / "CMakeLists.txt").write_text('    set(LLAMA_BUILD_COMMON ON CACHE BOOL "Build" FORCE)\n')
    text = (
        "if (A)\n    ggml_add_cpu_backend_variant(x64)\n    ggml_add_cpu_backend_variant(zen4   SSE42 AVX)\nendif()\n"
    )
    lists.write_text(text)
    llama.trim(tmp_path, ("of-no-such-name",))
    assert lists.read_text() == text  # better all than none
    llama.trim(tmp_path, ("zen4",))
    assert lists.read_text() == text.replace("    ggml_add_cpu_backend_variant(x64)\n", "")
    assert "LLAMA_BUILD_COMMON OFF CACHE" in (tmp_path / "CMakeLists.txt").read_text()


def test_a_wheel_is_kept_for_the_next_environment_with_the_same_switches(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PIP_NO_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = tmp_path / "llm-assistant" / "wheels" / Build.read().key
    kept.mkdir(parents=True)
    made = wheel(kept, "llama_cpp_python", "0.0.0")
    assert llama.compiled(Environment(Path(sys.executable)), tmp_path, print) == made
    monkeypatch.setenv("LLAMA_CMAKE_ARGS", "-DGGML_CUDA=ON")
    assert Build.read().key != kept.name
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    assert llama.cache_folder() is None
