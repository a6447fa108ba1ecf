"""The keys of the original's files: which version reads them, and what those are for that change nothing."""

from __future__ import annotations

V2024, V2026 = "2024", "2026"
VERSIONS = (V2024, V2026)

MARKS_2026 = frozenset(
    [
        "FRAC_K",
        "IF_ADAPT",
        "IF_FF_ADAPT",
        "IF_FF_DYN",
        "IF_HEBB",
        "IS_TRAIN",
        "RANDOM_DELAY",
        "RANDOM_ITI",
        "T_HEBB",
        "VAR_RATE",
    ]
)
"""Keys without which the code of 2026 stops: files that lack one, with their defaults, are older."""

RUN_OPTIONS = "DEVICE FLOAT_PRECISION REC_LAST_ONLY SAVE_DATA SAVE_PATH TRAINING VERBOSE"
SPIKING = "V_REST V_THRESH"
SUPERSEDED = {
    "CONNECTIVITY": "CON_TYPE",
    "STRUCTURE": "PROBA_TYPE",
    "T_STIM": "T_STIM_ON T_STIM_OFF",
    "I1": "I0",
    "SIGMA1": "SIGMA0",
    "FF_DYN": "IF_FF_DYN",
    "THRESH_DYN": "IF_ADAPT",
    "TAU_THRESH": "TAU_ADAPT",
}
"""Keys that code from before May 2024 read, and what that version reads instead."""
FORGOTTEN = (
    "DPHI GRID_RANGE IF_LEARNING IF_LOAD_MAT IF_SAVE_MAT IF_W_BLOCKS LR_GAUSS REP_BIAS REP_VAR TEST_I_STP "
    "TRAIN_SCALE T_CUE T_DIST T_TEST WELLS"
)
"""Keys that stand in files and that neither version reads."""

ONLY_2024 = "DROP_RATE LR_BIAS LR_CLASS LR_EVAL_WIN LR_FIX_READ LR_KAPPA LR_MASK PHI1 SPARSE"
ONLY_2026 = (
    "A_ADAPT A_FF_ADAPT CLAMP DELAY_LIST ETA FF_USE FRAC_K GRID_INPUT GRID_SIZE GRID_TEST "
    "GRID_X_RANGE GRID_Y_RANGE HEBB_FRAC HEBB_TYPE IF_ADAPT IF_FF_ADAPT IF_FF_DYN IF_FF_STP IF_HEBB "
    "IF_OPTO IF_RL IS_HEBB IS_STP IS_TRAIN ITI_LIST LR_INI LR_TYPE LR_UeqV MAX_DELAY MAX_ITI "
    "MIN_DELAY MIN_ITI N_OPTO ODR_TRAIN RANDOM_DELAY RANDOM_ITI RWD STIM_EI T_HEBB TAU_ADAPT TAU_FF "
    "TAU_FF_ADAPT TAU_FF_FAC TAU_FF_REC TAU_HEBB TRAIN_EI VAR_RATE W_STP"
)
BOTH = (
    "BUMP_SWITCH CON_TYPE DT DURATION frac GAIN I0 IF_BATCH_J IF_NMDA IF_STP J_STP Ja0 Jab K KAPPA "
    "LIVE_FF_UPDATE LR_CLAMP LR_COV LR_MEAN LR_MN LR_NORM LR_READOUT LR_TRAIN M0 N_BATCH N_NEURON "
    "N_POP PHASE PHI0 PROBA_TYPE R_NMDA RANK RATE_DYN RATE_NOISE SEED SIGMA SIGMA0 STP_TYPE SYN_DYN "
    "T_STEADY T_STIM_OFF T_STIM_ON T_WINDOW TASK TAU TAU_FAC TAU_NMDA TAU_REC TAU_SYN TF_TYPE THRESH "
    "USE VAR_FF"
)
KNOWN = frozenset(
    " ".join((RUN_OPTIONS, SPIKING, *SUPERSEDED, FORGOTTEN, ONLY_2024, ONLY_2026, BOTH)).split()
)

CANNOT = {
    "IF_HEBB": "Hebbian plasticity",
    "IF_OPTO": "silencing of random neurons' synapses",
    "IF_BATCH_J": "a batch of E to E couplings given at run time; sweep J.EE instead",
    "RANDOM_ITI": "a random time before the first stimulus",
    "TRAIN_EI": "trained weights, beside which GAIN counts twice",
    "LR_TRAIN": "trained low-rank weights",
    "LR_READOUT": "a readout instead of rates",
}
"""Switches that turn on what the specification has no words for."""

PARTS = {
    "IF_HEBB": "ETA HEBB_FRAC HEBB_TYPE IS_HEBB TAU_HEBB",
    "IF_FF_DYN": "TAU_FF",
    "IF_FF_ADAPT": "A_FF_ADAPT TAU_FF_ADAPT",
    "IF_FF_STP": "FF_USE TAU_FF_FAC TAU_FF_REC",
    "IF_OPTO": "N_OPTO",
    "IF_STP": "IS_STP J_STP STP_TYPE TAU_FAC TAU_REC USE W_STP",
    "IF_NMDA": "R_NMDA TAU_NMDA",
    "IF_ADAPT": "A_ADAPT TAU_ADAPT",
    "RATE_DYN": "TAU",
    "SYN_DYN": "TAU_SYN",
    "RATE_NOISE": "VAR_RATE",
    "RANDOM_DELAY": "DELAY_LIST MAX_DELAY MIN_DELAY",
    "RANDOM_ITI": "ITI_LIST MAX_ITI MIN_ITI",
    "LR_TRAIN": (
        "DROP_RATE LR_BIAS LR_CLAMP LR_CLASS LR_EVAL_WIN LR_FIX_READ LR_INI LR_KAPPA LR_MASK LR_MN "
        "LR_NORM LR_UeqV RANK"
    ),
    "TRAIN_EI": "IS_TRAIN",
}
"""Keys that matter only while a switch is on."""
