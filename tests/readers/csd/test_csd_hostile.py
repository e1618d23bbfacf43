"""Hostile and damaged .csd files: none reads another file or fills the memory; each one error."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.errors import InputError
from affuse.readers.registry import load_corpus

h5py = pytest.importorskip("h5py")

Maker = Callable[[str], Any]
VIDEO = "03bSnISJMiM"
ENTRY = f"COVAREP/data/{VIDEO}"
FEATURES = f"{ENTRY}/features"


def _link(to: Any, at: str = FEATURES) -> Callable[[Any, Path], None]:
    def change(file: Any, _: Path) -> None:
        del file[at]
        file[at] = to

    return change


def _data(at: str = FEATURES, **storage: Any) -> Callable[[Any, Path], None]:
    def change(file: Any, _: Path) -> None:
        del file[at]
        file.create_dataset(at, **storage)

    return change


def _raw_bytes_of_another_file(file: Any, folder: Path) -> None:
    secret = folder / "secret"
    secret.write_bytes(b"\1" * 600 * 74 * 4)
    storage = [(str(secret), 0, h5py.h5f.UNLIMITED)]
    del file[FEATURES]
    file.create_dataset(FEATURES, (600, 74), "f4", external=storage)


def _virtual(file: Any, folder: Path) -> None:
    with h5py.File(folder / "secret.h5", "w") as other:
        other["x"] = np.ones((600, 74), np.float32)
    layout = h5py.VirtualLayout((600, 74), "f4")
    layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "x", (600, 74))
    del file[FEATURES]
    file.create_virtual_dataset(FEATURES, layout)


def _cycle(file: Any, _: Path) -> None:
    del file[ENTRY]
    file[ENTRY] = file["COVAREP"]


def _loop(file: Any, _: Path) -> None:
    del file[FEATURES]
    file[FEATURES] = h5py.SoftLink(f"/{ENTRY}/again")
    file[f"{ENTRY}/again"] = h5py.SoftLink(f"/{FEATURES}")


def _deep(file: Any, _: Path) -> None:
    del file[FEATURES]
    group = file.create_group(FEATURES)
    for _step in range(300):
        group = group.create_group("g")
    group["back"] = file["COVAREP"]


def _unknown_filter(file: Any, _: Path) -> None:
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_chunk((100, 74))
    create.set_filter(32999, h5py.h5z.FLAG_OPTIONAL, (1, 2))
    space = h5py.h5s.create_simple((600, 74))
    del file[FEATURES]
    data = h5py.h5d.create(file.id, FEATURES.encode(), h5py.h5t.IEEE_F32LE, space, create)
    # As if it had passed through the filter, which nobody has.
    data.write_direct_chunk((0, 0), b"x" * 99, 0)


def _second_root(file: Any, _: Path) -> None:
    file.create_group("other")


def _no_root(file: Any, _: Path) -> None:
    file.move("COVAREP", "voice")
    file["COVAREP"] = h5py.SoftLink("/voice")
    del file["voice"]


ZEROS: dict[str, Any] = {"dtype": "f4", "compression": "gzip"}
HOSTILE: dict[str, tuple[Callable[[Any, Path], None], str]] = {
    "link to another file": (_link(h5py.ExternalLink("/etc/hosts", "/")), "no array 'features'"),
    "data in another file": (_link(h5py.ExternalLink("x.h5", "/"), "COVAREP/data"), "no group"),
    "soft link": (_link(h5py.SoftLink("/COVAREP/metadata")), "no array 'features'"),
    "dangling link": (_link(h5py.SoftLink("/nowhere")), "no array 'features'"),
    "raw bytes of another file": (_raw_bytes_of_another_file, "refers to data outside the file"),
    "virtual": (_virtual, "refers to data outside the file"),
    "cycle": (_cycle, "no array 'features'"),
    "a loop of links": (_loop, "no array 'features'"),
    "groups in groups": (_deep, "no array 'features'"),
    "a filter that nobody has": (_unknown_filter, "cannot be read (OSError"),
    "texts of a gigabyte": (
        _data(shape=(600, 1), dtype="S1073741824"),
        "many times what is stored",
    ),
    "two roots": (_second_root, "has 2 groups at its root"),
    "no root": (_no_root, "has 0 groups at its root"),
    "huge and empty": (_data(shape=(10**12, 74), dtype="f4"), "many times what is stored"),
    "huge in chunks": (
        _data(shape=(10**9, 74), chunks=(1000, 74), maxshape=(None, 74), **ZEROS),
        "many times what is stored",
    ),
    "zeros that unfold": (
        _data(data=np.zeros((80_000, 74), np.float32), chunks=(80_000, 74), **ZEROS),
        "many times what is stored",
    ),
    "one huge chunk": (
        _data(shape=(600, 74), chunks=(10**7, 74), maxshape=(None, 74), dtype="f4"),
        "many times what is stored",
    ),
    "text": (_data(data=["a"] * 600), "holds words where audio belongs"),
    "ragged": (_data(shape=(600,), dtype=h5py.vlen_dtype(np.float32)), "is of type object"),
    "references": (_data(shape=(600, 2), dtype=h5py.ref_dtype), "is of type object"),
    "records": (_data(shape=(600,), dtype=[("a", "f4"), ("b", "i4")]), "is of type [('a'"),
    "complex": (_data(data=np.ones((600, 74), np.complex64)), "is of type complex64"),
    "a scalar": (_data(data=1.0), "features of shape ()"),
    "a cube": (_data(data=np.ones((600, 2, 2))), "features of shape (600, 2, 2)"),
    "too few features": (_data(data=np.ones((9, 74))), "(9, 74) and intervals of shape (600, 2)"),
    "other intervals": (_data(f"{ENTRY}/intervals", data=np.ones((600, 3))), "(600, 3)"),
    "intervals of text": (_data(f"{ENTRY}/intervals", data=["a"] * 600), "'intervals' is of type"),
    "an entry that is an array": (
        _data(ENTRY, data=np.ones((5, 74))),
        "has no group '03bSnISJMiM'",
    ),
    "another width": (_data(data=np.ones((600, 9))), "has audio of width 74, the corpus 9"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_give_one_error(csd_folder: Maker, tmp_path: Path, name: str) -> None:
    change, expected = HOSTILE[name]
    path = csd_folder("mosi").write()
    with h5py.File(path / "CMU_MOSI_COVAREP.csd", "r+") as file:
        change(file, tmp_path)
    with pytest.raises(InputError) as caught:
        load_corpus(str(path))
    message = str(caught.value)
    assert expected in message
    assert "\n" not in message
    assert len(message) < 400 + len(str(path))


@pytest.mark.parametrize("labels", [np.full((3, 1), 4.0), np.array([[0], [np.nan], [1]])])
def test_labels_out_of_range(csd_folder: Maker, labels: Any) -> None:
    path = csd_folder("mosi").write()
    at = f"Opinion Segment Labels/data/{VIDEO}/features"
    with h5py.File(path / "CMU_MOSI_Labels.csd", "r+") as file:
        _data(at, data=labels)(file, path)
    with pytest.raises(InputError, match=rf"Labels\.csd: {VIDEO}: label \d is "):
        load_corpus(str(path))


@pytest.mark.parametrize("names", ["", "[", "[1]", '"sentiment"', "{}", '["sentiment", "x"]'])
def test_metadata_that_names_nothing_is_passed_over(csd_folder: Maker, names: str) -> None:
    path = csd_folder("mosi").write()
    with h5py.File(path / "CMU_MOSI_Labels.csd", "r+") as file:
        file["Opinion Segment Labels/metadata/dimension names"] = names
    assert len(load_corpus(str(path)).folds[0].train) == 6


def test_other_files_under_that_name(csd_folder: Maker) -> None:
    path = csd_folder("mosi").write()
    file = path / "CMU_MOSI_COVAREP.csd"
    content = file.read_bytes()
    for other in (b"", b"x" * 5000, content[:2000], content[: len(content) // 2]):
        file.write_bytes(other)
        with pytest.raises(InputError, match=r"COVAREP\.csd"):
            load_corpus(str(path))
    file.unlink()
    file.mkdir()
    with pytest.raises(InputError, match=r"COVAREP\.csd: is no HDF5 file"):
        load_corpus(str(path))


def test_mutations_load_or_give_an_error(csd_folder: Maker) -> None:
    path = csd_folder("mosi").write()
    file = path / "CMU_MOSI_VisualFacet42.csd"
    content = file.read_bytes()
    rng = random.Random(7)
    loaded, errors = 0, []
    for _ in range(120):
        mutated = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            # The structure lies at the front; most of the rest are values.
            place = rng.randrange(6000)
            mutated[place : place + rng.randint(1, 8)] = rng.randbytes(rng.randint(1, 8))
        file.write_bytes(mutated)
        try:
            load_corpus(str(path))
            loaded += 1
        except InputError as error:
            errors.append(str(error))
    assert loaded > 0
    assert len(errors) > 20
    assert not any("\n" in error for error in errors)


def test_without_h5py_it_is_told_how_to_get_it(
    csd_folder: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = csd_folder("mosi").write()
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'affuse\[csd\]'"):
        load_corpus(str(path))
