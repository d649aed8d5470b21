#!/bin/sh
# save.sh NAME FILE: writes an image of the engine to FILE (docker-archive), without accidental metadata: Podman records
# in an image's configuration in which container, on which host and on which other images it was built. Layers, and
# everything that a registry or a container uses, stay unchanged.
set -eu
cd "$(dirname "$0")/../.."
engine=$(deploy/docker/engine.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The engine's command may be several words.
# shellcheck disable=SC2086
$engine save --output "$work/saved.tar" "$1" >&2
mkdir "$work/image"
tar --extract --file "$work/saved.tar" --directory "$work/image"
rm "$work/saved.tar"
# shellcheck disable=SC2016 # the dollar signs are JavaScript's
"$(tools/bun.sh)" -e '
  const folder = process.argv[1]
  const [image] = await Bun.file(`${folder}/manifest.json`).json()
  const { container, container_config, parent, ...config } = await Bun.file(`${folder}/${image.Config}`).json()
  if (config.config) delete config.config.Hostname
  for (const step of config.history ?? []) if (step.comment?.startsWith("FROM ")) delete step.comment
  await Bun.write(`${folder}/config.json`, JSON.stringify(config))
  await Bun.write(`${folder}/manifest.json`, JSON.stringify([{ ...image, Config: "config.json" }]))
  await Bun.write(`${folder}/files`, ["manifest.json", "config.json", ...image.Layers].join("\n"))
' "$work/image"
tar --create --dereference --file "$2" --directory "$work/image" --files-from "$work/image/files"
