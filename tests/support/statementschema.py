"""The forms that others read, as far as we write them: in-toto, SLSA provenance, CycloneDX.

Written after https://github.com/in-toto/attestation (spec/v1), https://slsa.dev/spec/v1.0 and
https://cyclonedx.org/docs/1.6/json: what they require, and the forms of what they restrict.
"""

from typing import Any, Final

_TIME: Final = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$",
}
_DIGESTS: Final = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {
        "^(md5|sha1|sha256|sha512)$": {"type": "string", "pattern": "^[0-9a-f]+$"},
        "^glanceImageId$": {"type": "string", "minLength": 1},
    },
    "additionalProperties": False,
}
_DESCRIPTOR: Final = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "uri": {"type": "string", "pattern": "^[a-z][a-z0-9+.-]*:"},
        "digest": _DIGESTS,
        "annotations": {"type": "object"},
    },
    "anyOf": [{"required": ["uri"]}, {"required": ["digest"]}, {"required": ["content"]}],
    "additionalProperties": False,
}
STATEMENT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["_type", "subject", "predicateType", "predicate"],
    "additionalProperties": False,
    "properties": {
        "_type": {"const": "https://in-toto.io/Statement/v1"},
        "subject": {
            "type": "array",
            "minItems": 1,
            "items": {**_DESCRIPTOR, "required": ["digest"]},
        },
        "predicateType": {"const": "https://slsa.dev/provenance/v1"},
        "predicate": {
            "type": "object",
            "required": ["buildDefinition", "runDetails"],
            "additionalProperties": False,
            "properties": {
                "buildDefinition": {
                    "type": "object",
                    "required": ["buildType", "externalParameters"],
                    "additionalProperties": False,
                    "properties": {
                        "buildType": {"type": "string", "pattern": "^[a-z]+:"},
                        "externalParameters": {"type": "object"},
                        "internalParameters": {"type": "object"},
                        "resolvedDependencies": {"type": "array", "items": _DESCRIPTOR},
                    },
                },
                "runDetails": {
                    "type": "object",
                    "required": ["builder"],
                    "additionalProperties": False,
                    "properties": {
                        "builder": {
                            "type": "object",
                            "required": ["id"],
                            "additionalProperties": False,
                            "properties": {
                                "id": {"type": "string", "pattern": "^[a-z]+:"},
                                "version": {
                                    "type": "object",
                                    "additionalProperties": {"type": "string"},
                                },
                                "builderDependencies": {"type": "array", "items": _DESCRIPTOR},
                            },
                        },
                        "metadata": {
                            "type": "object",
                            "additionalProperties": False,
                            "properties": {
                                "invocationId": {"type": "string"},
                                "startedOn": _TIME,
                                "finishedOn": _TIME,
                            },
                        },
                        "byproducts": {"type": "array", "items": _DESCRIPTOR},
                    },
                },
            },
        },
    },
}
_COMPONENT: Final = {
    "type": "object",
    "required": ["type", "name"],
    "additionalProperties": False,
    "properties": {
        "type": {"enum": ["application", "library", "operating-system"]},
        "bom-ref": {"type": "string", "minLength": 1},
        "name": {"type": "string"},
        "version": {"type": "string"},
        "purl": {
            "type": "string",
            "pattern": r"^pkg:(deb|rpm|apk|alpm)/([A-Za-z0-9._~-]+/)?[A-Za-z0-9._~%:-]+"
            r"@[A-Za-z0-9._~%:-]+(\?[a-z]+=[^&]+(&[a-z]+=[^&]+)*)?$",
        },
        "hashes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["alg", "content"],
                "properties": {
                    "alg": {"enum": ["MD5", "SHA-1", "SHA-256", "SHA-512"]},
                    "content": {
                        "pattern": "^([a-fA-F0-9]{32}|[a-fA-F0-9]{40}|[a-fA-F0-9]{64}|"
                        "[a-fA-F0-9]{128})$"
                    },
                },
            },
        },
        "properties": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                "additionalProperties": False,
            },
        },
    },
}
SBOM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["bomFormat", "specVersion"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"},
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {
            "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
        },
        "version": {"type": "integer", "minimum": 1},
        "metadata": {
            "type": "object",
            "properties": {
                "timestamp": _TIME,
                "tools": {
                    "type": "object",
                    "properties": {"components": {"type": "array", "items": _COMPONENT}},
                },
                "component": _COMPONENT,
            },
            "additionalProperties": False,
        },
        "components": {"type": "array", "items": _COMPONENT, "uniqueItems": True},
        "compositions": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["aggregate"],
                "properties": {
                    "aggregate": {"enum": ["complete", "incomplete", "unknown"]},
                    "assemblies": {"type": "array", "items": {"type": "string"}},
                },
            },
        },
    },
}
