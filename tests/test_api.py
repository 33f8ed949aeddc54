import ast
import importlib
import inspect
import json
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

import albertkit
from albertkit import backends
from albertkit.config import AlbertConfig

ROOT = Path(__file__).parents[1]
LABELS = {"torch": "PyTorch", "tensorflow": "TensorFlow", "flax": "JAX and Flax"}
OF_FRAMEWORK = {
    framework: sorted(
        name for name, module in albertkit._MODULES.items() if module.startswith(f"albertkit.{framework}.")
    )
    for framework in LABELS
}
IN_FRAMEWORKS = [(framework, name) for framework, names in OF_FRAMEWORK.items() for name in names]
FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "flax", "optax")
OPTIONAL = ("sklearn", "scipy", "pyarrow", "matplotlib", "pydantic", "tomli_w", "transformers")
HEADS = (
    *("Model", "PreTrainedModel", "ForPreTraining", "ForMaskedLM", "ForSequenceClassification"),
    *("ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice", "ForPreTrainingOutput"),
)
OLD_PAGE = [
    *("AlbertConfig", "AlbertTokenizer", "AlbertTokenizerFast"),
    *(f"{prefix}{head}" for prefix in ("Albert", "TFAlbert", "FlaxAlbert") for head in HEADS),
]


def twin():
    """The names that a type checker sees: {name: module}, from the block under TYPE_CHECKING."""
    tree = ast.parse(Path(albertkit.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    found = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.asname == alias.name, "only `import x as x` is public to a type checker"
            found[alias.name] = statement.module
    return found


def fresh(code):
    """What a new interpreter prints as JSON."""
    arguments = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without(*packages):
    """Code after which importing `packages` fails, as where they are not installed."""
    return textwrap.dedent(f"""
        import importlib.abc, json, sys
        class Absent(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {packages!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        sys.meta_path.insert(0, Absent())
    """)


def test_the_table_its_typing_twin_and_the_public_names_agree():
    assert twin() == albertkit._MODULES
    assert albertkit.__all__ == sorted(albertkit._MODULES)
    assert set(dir(albertkit)) == {*albertkit._MODULES, "__version__"}


def test_the_names_of_the_old_page_are_there():
    assert set(OLD_PAGE) <= set(albertkit.__all__)


@pytest.mark.parametrize("name", sorted(set(albertkit.__all__) - {name for _, name in IN_FRAMEWORKS}))
def test_a_public_name_gives_its_class(name):
    value = getattr(albertkit, name)
    assert inspect.isclass(value) or inspect.isfunction(value)
    one_for_all = "AlbertForPreTrainingOutput" if name.endswith("Output") else name
    assert (value.__name__, value.__module__) == (one_for_all, albertkit._MODULES[name])


@pytest.mark.parametrize(
    ("framework", "name"),
    [pytest.param(framework, name, marks=getattr(pytest.mark, framework)) for framework, name in IN_FRAMEWORKS],
)
def test_a_public_name_of_a_framework_gives_its_class(framework, name):
    if framework not in backends.installed():
        pytest.skip(f"{framework} is not installed")
    value = getattr(albertkit, name)
    assert inspect.isclass(value) or name == "load_tf_weights_in_albert"
    assert value.__name__ == name
    assert value is getattr(importlib.import_module(albertkit._MODULES[name]), name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'albertkit' has no attribute 'AlbertForPoetry'"):
        albertkit.AlbertForPoetry  # noqa: B018
    assert not hasattr(albertkit, "np")
    assert getattr(albertkit, "AlbertModl", None) is None


def test_a_mistyped_name_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match=r"Did you mean `AlbertModel`\?"):
        albertkit.AlbertModl  # noqa: B018
    with pytest.raises(ImportError, match=r"'AlbertForSequnceClassification'.*`AlbertForSequenceClassification`\?"):
        from albertkit import AlbertForSequnceClassification  # noqa: F401  # pyright: ignore  (it is not there)


@pytest.mark.parametrize("framework", LABELS)
def test_a_star_import_gives_what_the_installed_frameworks_have(framework):
    if framework not in backends.installed():
        pytest.skip(f"{framework} is not installed")
    absent = [package for other in LABELS if other != framework for package in backends.PACKAGES[other]]
    found = fresh(
        without(*absent)
        + textwrap.dedent("""
            from albertkit import *
            import albertkit
            print(json.dumps(sorted(set(globals()) & set(albertkit._MODULES))))
        """)
    )
    of_others = {name for other, name in IN_FRAMEWORKS if other != framework}
    assert set(found) == set(albertkit._MODULES) - of_others
    assert albertkit._NEEDS == backends.PACKAGES


def test_the_version_is_that_of_the_package():
    assert albertkit.__version__ == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


def test_importing_the_package_loads_almost_nothing():
    loaded = fresh("import albertkit, json, sys; print(json.dumps(sorted(sys.modules)))")
    heavy = {*FRAMEWORKS, *OPTIONAL, "numpy", "safetensors", "tokenizers", "sentencepiece", "huggingface_hub", "rich"}
    assert heavy.isdisjoint(name.split(".")[0] for name in loaded)
    assert [name for name in loaded if name.startswith("albertkit")] == ["albertkit", "albertkit.errors"]


def test_rooms_without_a_framework_load_none():
    loaded = fresh("""
        import json, sys
        from albertkit import AlbertConfig, AlbertForPreTrainingOutput, AlbertTokenizer, AlbertTokenizerFast
        from albertkit import arrays, hub, storage
        from albertkit.checkpoint import files, init, report
        from albertkit.tools import summary
        from albertkit import weight_table
        from albertkit.tasks import tables, text_classification
        summary.summarise("base")
        print(json.dumps(sorted(sys.modules)))
    """)
    assert {*FRAMEWORKS, *OPTIONAL}.isdisjoint(name.split(".")[0] for name in loaded)


@pytest.mark.parametrize("framework", LABELS)
def test_without_its_framework_a_name_answers_with_the_command_and_the_others_work(framework):
    others = sorted({name for other, name in IN_FRAMEWORKS if other != framework and other not in backends.installed()})
    answers = fresh(
        without(*backends.PACKAGES[framework])
        + textwrap.dedent(f"""
            import albertkit
            answers = {{}}
            for name in [*albertkit._MODULES, *albertkit._MODULES]:
                if name in {others}:
                    continue
                try:
                    getattr(albertkit, name)
                except ImportError as error:
                    answers[name] = [type(error).__name__, str(error)]
            try:
                import albertkit.{framework}
            except ImportError as error:
                answers["albertkit.{framework}"] = [type(error).__name__, str(error)]
            print(json.dumps(answers))
        """)
    )
    command = f'needs {LABELS[framework]}. Install it with: pip install "albertkit[{framework}]"'
    names = [*OF_FRAMEWORK[framework], f"albertkit.{framework}"]
    assert answers == {name: ["MissingDependency", f"{name} {command}"] for name in names}


def test_without_its_extras_scoring_and_reading_answer_with_the_command(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"PAR1")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    AlbertConfig.base().save_pretrained(tmp_path)
    answers = fresh(
        without("torch", "sklearn", "pyarrow")
        + textwrap.dedent(f"""
            from albertkit.checkpoint import files
            from albertkit.tasks import tables
            def scoring():
                from albertkit.tasks import metrics
            def parquet():
                tables.read({str(tmp_path / "data.parquet")!r})
            def pickled():
                files.load({str(tmp_path)!r})
            answers = []
            for use in (scoring, parquet, pickled):
                try:
                    use()
                except ImportError as error:
                    answers.append(str(error))
            print(json.dumps(answers))
        """)
    )
    assert answers == [
        'Scoring needs scikit-learn. Install it with: pip install "albertkit[train]"',
        'Reading Parquet needs pyarrow. Install it with: pip install "albertkit[train]"',
        'Reading pytorch_model.bin needs PyTorch. Install it with: pip install "albertkit[torch]"',
    ]


def test_type_checkers_read_the_package():
    assert (Path(albertkit.__file__).parent / "py.typed").is_file()
    built = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert built["wheel"]["packages"] == ["src/albertkit"]  # all of its files, this one among them
