"""The released codes by name, which methods they are of, and the form of a difference."""

from typing import NamedTuple

FEDMVP, APT, FAP, AVP, MAPLE = "FedMVP", "APT", "FAP", "AVP", "AdvMaPLe"
PAFT, CAPT, HEP, OPEN_FED_ML = "PAFT", "CAPT", "HEP", "OpenFedML"
PROMPTFL, FEDTPG, FED_MAPLE, FED_CLIP = "PromptFL", "FedTPG", "FedMaPLe", "FedCLIP"
FED_OTP, FED_PGP, FED_MGP = "FedOTP", "FedPGP", "FedMGP"
DUAL_COOP, POSITIVE_COOP, FED_MPT, FED_APT = "DualCoOp", "PositiveCoOp", "FedMPT", "FedAPT"
FED_KEEP = "FedKeep"
FAP_LIKE = (FAP, AVP, MAPLE)
DEEP = (FAP, MAPLE)
COOP_LIKE = (APT, PAFT, PROMPTFL, FED_OTP, FED_PGP, FED_MGP)  # with CoOp's transforms
ONE_MACHINE = (APT, FAP, AVP, MAPLE, PAFT)

# Method -> whose codes it is compared with, by their names in the table.
CODES: dict[str, tuple[str, ...]] = {
    "fedmvp": (FEDMVP, OPEN_FED_ML),
    "fedmvp-capt": (FEDMVP, CAPT, OPEN_FED_ML),
    "capt": (CAPT,),
    "adv-maple": (MAPLE,),
    "fap": (FAP,),
    "apt": (APT,),
    "avp": (AVP,),
    "paft": (PAFT,),
    "zs-clip": (),
    "hep": (HEP,),
    "promptfl": (PROMPTFL,),
    "fedkgcoop": (FEDTPG,),
    "fedcocoop": (FEDTPG,),
    "fedtpg": (FEDTPG,),
    "fedvpt": (FEDTPG,),
    "fedmaple": (FED_MAPLE,),
    "fedclip": (FED_CLIP,),
    "fedotp": (FED_OTP,),
    "fedpgp": (FED_PGP,),
    "fedmgp": (FED_MGP,),
    "dualcoop": (DUAL_COOP,),
    "positivecoop": (POSITIVE_COOP,),
    "fedmpt": (FED_MPT,),
    "fedapt": (FED_APT,),
    "fedkeep": (FED_KEEP,),
}
SET, STAYS = "as released", "stays"


class Difference(NamedTuple):
    """codes: whose released code it is about. there, here: what it does, and what this project
    does by default. keys: of `Method.published`, which make it as released; (): it stays.
    """

    codes: tuple[str, ...]
    what: str
    there: str
    here: str
    keys: tuple[str, ...] = ()

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """As a table has it: code, what, there, here, with protocol=published."""
        with_protocol = SET if self.keys else STAYS
        return (", ".join(self.codes), self.what, self.there, self.here, with_protocol)


HEADINGS = ("released code", "what", "there", "here", "protocol=published")
