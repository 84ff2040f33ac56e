"""Tables of results: clean accuracy, and robust accuracy beside it where there is one."""

import io

import pytest
from rich.console import Console

from simulations.attack.names import AttackName
from simulations.runner.reporting import final_table
from simulations.runner.results import final_accuracies, final_robust_accuracies

ATTACK = "robust-accuracy[pgd-10 eps=4/255]"
METRICS = f"""round,split,metric,value
0,harmonic-mean,accuracy,0.5
0,harmonic-mean,zero-shot-accuracy,0.25
0,harmonic-mean,{ATTACK},0.9
5,harmonic-mean,accuracy,0.625
5,harmonic-mean,{ATTACK},0.375
0,harmonic-mean,zero-shot-{ATTACK},0.125
5,new,accuracy,0.2
5,new,attacked-images,366
5,client-000,{ATTACK},0.9
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "metrics.csv").write_text(METRICS)
    return tmp_path


def printed(folder) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(final_table(folder))
    return console.file.getvalue()


def test_robust_accuracy_is_read_apart_from_the_clean_one(folder):
    assert final_accuracies(folder) == {"harmonic-mean": (0.25, 0.625), "new": (None, 0.2)}
    attack, robust = final_robust_accuracies(folder)
    assert attack == AttackName("pgd", 10, "4/255")
    assert robust == {"harmonic-mean": (0.125, 0.375)}


def test_a_run_that_was_not_attacked(folder):
    lines = [line for line in METRICS.splitlines() if ATTACK not in line]
    (folder / "metrics.csv").write_text("\n".join(lines))
    assert final_robust_accuracies(folder) == (None, {})
    assert "robust" not in printed(folder)
    assert "+37.5" in printed(folder)


def test_the_final_table_fits_a_narrow_terminal_and_names_the_attack(folder):
    lines = printed(folder).splitlines()
    assert max(map(len, lines)) <= 80
    (row,) = [line for line in lines if "harmonic-mean" in line]
    assert [cell.strip() for cell in row.split("│")[2:-1]] == [
        *("25.0 %", "62.5 %", "+37.5"),
        *("12.5 %", "37.5 %", "+25.0"),
    ]
    assert lines[-1].strip() == "robust: accuracy under attack, pgd-10 eps=4/255"


def test_with_several_labels_map_is_shown_under_its_own_name(folder):
    attack = "map[pgd-10 eps=4/255]"
    rows = [
        "round,split,metric,value",
        *("0,all,zero-shot-map,0.25", "4,all,map,0.5", "4,all,cf1,0.125"),
        *(f"4,all,robust-{attack},0.375", f"0,all,zero-shot-robust-{attack},0.125"),
        *("4,client-000,map,0.9", "4,train,loss,2.0", "4,harmonic-mean,map,0.75"),
    ]
    (folder / "metrics.csv").write_text("\n".join(rows))
    assert final_accuracies(folder) == {"harmonic-mean": (None, 0.75), "all": (0.25, 0.5)}
    assert final_robust_accuracies(folder)[1] == {"all": (0.125, 0.375)}
    shown = printed(folder)
    assert f"{folder.name}: map" in shown
    assert "robust: map under attack, pgd-10 eps=4/255" in shown
