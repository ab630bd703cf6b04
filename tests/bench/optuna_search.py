"""optuna_search.py SEEDS - the functions of bench_search.c under Optuna's TPESampler(multivariate=False): prints
"FUNCTION optuna SEED regret_after_50 regret_after_100" a line."""

import math
import sys
import warnings

import optuna

A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [
    [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
    [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
    [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
    [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
]
ALPHA = [1, 1.2, 3, 3.2]


def sphere(trial):
    return sum((trial.suggest_float(name, -5, 5) - 0.5 * i) ** 2 for i, name in enumerate("abcd"))


def branin_at(x, y):
    b = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return b * b + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def branin(trial):
    return branin_at(trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15))


def hartmann(trial):
    x = [trial.suggest_float(name, 0, 1) for name in "abcdef"]
    return -sum(
        ALPHA[k] * math.exp(-sum(A[k][i] * (x[i] - P[k][i]) ** 2 for i in range(6))) for k in range(4)
    )


def mixed(trial):
    kind = trial.suggest_categorical("kind", ["0", "1", "2"])
    dropout = trial.suggest_float("dropout", 0, 0.9, step=0.1) - 0.3
    if kind == "0":
        return dropout**2 + (trial.suggest_float("z", -5, 5) - 1) ** 2 + 0.5
    if kind == "1":
        lr = math.log10(trial.suggest_float("lr", 1e-5, 1, log=True)) + 3
        width = math.log2(trial.suggest_int("width", 1, 64, log=True)) - 4
        return dropout**2 + lr**2 + width**2 / 4
    return dropout**2 + branin_at(trial.suggest_float("x", -5, 10), trial.suggest_float("y", 0, 15)) / 50 + 0.3


FUNCTIONS = [
    ("sphere", sphere, 0),
    ("branin", branin, 0.39788735772973816),
    ("hartmann6", hartmann, -3.322368011415515),
    ("mixed", mixed, 0),
]


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    for name, function, minimum in FUNCTIONS:
        for seed in range(seeds):
            study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=False))
            study.optimize(function, n_trials=100)
            values = [trial.value for trial in study.trials]
            print(name, "optuna", seed, repr(min(values[:50]) - minimum), repr(min(values) - minimum), flush=True)


if __name__ == "__main__":
    main()
