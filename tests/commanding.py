"""The program as it is called in a terminal, and a home folder with a trained project for it."""

from contextlib import closing
from pathlib import Path

from making import photos
from typer.testing import CliRunner, Result

from teachable.cli import app
from teachable.types import TrainSettings
from teachable.workflow import Workspace

RED, BLUE = (220, 60, 60), (60, 60, 220)


def teachable(*arguments: str | Path) -> Result:
    """Call the program."""
    return CliRunner().invoke(app, [str(one) for one in arguments], prog_name="teachable")


def fill(home: Path) -> None:
    """Make a trained project, "Colours", and one that is not, "Empty"."""
    with closing(Workspace(home, offline=True)) as space:
        project = space.create_project("Colours").id
        for place, one in enumerate(space.project(project).classes):
            for group in range(4):
                seed = 10_000 * place + 100 * group
                space.add_photos(project, one.id, f"{seed}", photos(range(seed, seed + 5), (RED, BLUE)[place]))
        space.start_training(project, TrainSettings(epochs=20))
        assert space.wait_for_training(project, 60).training.state == "done"
        space.create_project("Empty")
