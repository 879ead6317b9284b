"""Models that judge their fields by the same table of rules as services, forms and serializers."""

from collections.abc import Collection

from django.core.exceptions import ValidationError
from django.db import models

from core.validators.rules import Rules


class RuledModel(models.Model):
    """`full_clean` puts a field into the form in which it is stored, or refuses it under the rule's code."""

    class Meta:
        abstract = True

    def field_rules(self) -> Rules:
        """Field -> rule. Fields without one are judged by Django."""
        return {}

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        rules, left = self.field_rules(), set(exclude or ())
        wrong: dict[str, list[ValidationError]] = {}
        try:
            super().clean_fields(exclude={*left, *rules})
        except ValidationError as error:
            wrong |= error.error_dict
        for name in rules.keys() - left:
            try:
                setattr(self, name, rules[name](getattr(self, name)))
            except ValidationError as error:
                wrong[name] = error.error_list
        if wrong:
            raise ValidationError(wrong)
