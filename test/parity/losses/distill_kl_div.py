from sentence_transformers import util
from sentence_transformers.sentence_transformer import losses

from .support import grid, numbers

LOSS = "DistillKLDivLoss"
ORDER = "matters"
CASES = grid(
    [{}, {"temperature": 2}, {"similarityFct": "pairwise_cos_sim", "studentTemperature": 0.5, "teacherTemperature": 3}],
    columns=[3, 4, 5], labels=numbers(lambda columns: columns - 1),
)


def build(model, options):
    return losses.DistillKLDivLoss(
        model, similarity_fct=getattr(util, options.get("similarityFct", "pairwise_dot_score")),
        temperature=options.get("temperature", 1.0), student_temperature=options.get("studentTemperature"),
        teacher_temperature=options.get("teacherTemperature"),
    )
