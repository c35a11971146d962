"""Write what the golden slices score by the shipped model; give it again with a new model.

python tests/golden/constancy.py
"""

import json
from pathlib import Path

from ctiqa.protocol.constancy import scores_of
from ctiqa.scoring.scorer import Scorer

GOLDEN = Path(__file__).parents[2] / "src" / "ctiqa" / "shipped" / "golden.json"

if __name__ == "__main__":
    scorer = Scorer()
    facts = {"model_sha256": scorer.sha256, "scores": scores_of(scorer)}
    GOLDEN.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
