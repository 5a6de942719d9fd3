"""What an administrator may set. The valves in the admin panel are these models."""

from pydantic import BaseModel, Field, field_validator

TIER_NAMES = ("small", "medium", "large", "frontier")


def split_list(text: str) -> tuple[str, ...]:
    """Split a comma-separated valve into its trimmed, non-empty items."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def parse_tier_overrides(text: str) -> dict[str, str]:
    """Parse `model=tier, model=tier` into a mapping; model ids may themselves hold colons and slashes.

    Raises ValueError, naming the first item that is not `model=tier` with a known tier.
    """
    overrides: dict[str, str] = {}
    for item in split_list(text):
        model, separator, tier = item.rpartition("=")
        if not separator or not model.strip() or tier.strip().lower() not in TIER_NAMES:
            raise ValueError(f"'{item}' is not model=tier with a tier of {', '.join(TIER_NAMES)}")
        overrides[model.strip()] = tier.strip().lower()
    return overrides


class RoutingSettings(BaseModel):
    """How models are sorted into tiers and which may be chosen: the valves of the Rightsize pipe."""

    small_up_to_billion: float = Field(
        default=5.0, gt=0, description="Local models with up to this many billion parameters are the small tier."
    )
    medium_up_to_billion: float = Field(
        default=20.0,
        gt=0,
        validate_default=True,
        description="Up to this many billion parameters is medium; above it is large.",
    )
    tier_overrides: str = Field(
        default="",
        description="Move models to another tier: model=tier, model=tier (small, medium, large or frontier).",
    )
    excluded_models: str = Field(default="", description="Model ids never to be chosen, separated by commas.")
    frontier_model: str = Field(
        default="", description="Id of the cloud model used for the frontier tier; empty lets Rightsize pick."
    )
    auto_may_use_cloud: bool = Field(
        default=True, description="Let Auto send the very hardest requests to the frontier model in the cloud."
    )
    local_hosts: str = Field(
        default="",
        description=(
            "Hosts of connections that you vouch are on your own hardware, separated by commas "
            "(for example 127.0.0.1, gpu-box.lan). Models of every other OpenAI-compatible host count as cloud, "
            "unless their connection is marked Local."
        ),
    )

    @field_validator("tier_overrides")
    @classmethod
    def _overrides_can_be_parsed(cls, value: str) -> str:
        parse_tier_overrides(value)
        return value

    @field_validator("medium_up_to_billion")
    @classmethod
    def _tiers_are_in_order(cls, value: float, info: object) -> float:
        small = getattr(info, "data", {}).get("small_up_to_billion", 0.0)
        if value <= small:
            raise ValueError(f"it must be above small_up_to_billion, which is {small:g}")
        return value


class PrivacySettings(BaseModel):
    """What counts as personal data: the valves of the privacy guard, which the pipe honours too."""

    phone_regions: str = Field(
        default="US,CA,GB,IE,AU,DE,AT,CH,FR,BE,NL,ES,IT,PT,DK,SE,NO,FI,PL,IN,BR,MX",
        description="Countries (two-letter codes) whose phone numbers are known without their +country prefix.",
    )
    attachments_stay_local: bool = Field(
        default=True,
        description="Keep images and other attachments, which cannot be read for personal data, on local models.",
    )

    @field_validator("phone_regions")
    @classmethod
    def _regions_are_country_codes(cls, value: str) -> str:
        for region in split_list(value):
            if len(region) != 2 or not region.isalpha():
                raise ValueError(f"'{region}' is not a two-letter country code")
        return value
