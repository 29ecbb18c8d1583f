"""Reasons of families and companies: what their codes mean and what to do about them (`schemas.reasons`)."""

from schemas.meanings import Meaning

# Why a row of a family is not sent, or a company's.
FAMILIES: dict[str, Meaning] = {
    "family.orphan": Meaning(
        "No row of the leading table has the key that this child names as its parent's.",
        "Correct the key, or add the parent's row; in rejected.csv fill in the parent's columns beside the child's.",
    ),
    "family.child_forgotten": Meaning(
        "A child in its payload was erased by `bulkload forget`; this job sends nothing of the child any more.",
        "Take the child out of the source.",
    ),
    "family.parent_forgotten": Meaning("Its parent was erased by `bulkload forget`.", "Take the parent out of it."),
    "family.own_parent": Meaning(
        "The child has an identifier of its own parent: the API would make one customer of both.",
        "Give the child an identifier of its own.",
    ),
    "family.too_many_children": Meaning(
        "The parent has more children than rules.max_children allows, so none of the family is sent.",
        "Take children out, or raise rules.max_children to what the hierarchy allows.",
    ),
    "family.parent": Meaning(
        "The child travels with its parent, and the parent is not sent.", "See what became of the parent's row."
    ),
    "family.two_parents": Meaning(
        "Two parents name this child, and the API takes one.",
        "Leave the child with one parent; a parent whose payload holds the child is held with it.",
    ),
    "family.cycle": Meaning(
        "Following from child to parent leads back to the same customer.", "Take one of the links out."
    ),
    "family.parent_not_loaded": Meaning(
        "The row's parent is in the file and is not sent, for a reason of its own.", "Mend the parent's row first."
    ),
    "hierarchyCode.missing": Meaning(
        "The row has a family or a company, and no hierarchyCode, without which the API takes neither.",
        "Fill it in, or map a constant.",
    ),
    "roleCode.missing": Meaning(
        "The row has a family or a company, and no roleCode, without which the API takes neither.",
        "Fill it in, or map a constant.",
    ),
    "childRoleCode.missing": Meaning(
        "The row has children, and no childRoleCode, their role.", "Fill it in, or map a constant."
    ),
}
