#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/language_model_spec.h"

// What an architecture says of a config.json before any weight is read: all that TypeScript knows of it
// (lib/native/types.ts).
namespace st {

// In `from`, `#` stands for a number and `*` for any text; each comes into `to` where the same sign stands, in order.
struct Rename {
  std::string from, to;
};

// How files name the tensors of an architecture.
struct CheckpointNames {
  // Under which files keep the bare transformer, the longest first. What follows them is a bare name.
  std::vector<std::string> prefixes;
  // From bare names to those of the layout, applied one after the other.
  std::vector<Rename> renames;
  // Bare names, after renaming, of what an encoder does not need: patterns, left out without a word.
  std::vector<std::string> left_out;
  // The first parts of bare names that belong to heads of other tasks: left out with a warning.
  std::vector<std::string> heads;
  // In front of the number of a layer: "encoder.layer.".
  std::string layer;
  // The tensors of a pooler, which a file has or has not as a whole; empty: there is none.
  std::vector<std::string> pooler;
};

// A tensor that a bare transformer does not bring.
struct NewTensor {
  std::string name;      // in the layout, without the number of the module
  bool outside = false;  // a checkpoint keeps it beside the transformer, without its prefix
};

struct ClassifierNames {
  std::string class_name;  // of transformers
  std::string prefix;      // under which its checkpoints keep the transformer
  std::vector<NewTensor> tensors;
};

struct Description {
  int64_t width = 0;
  int64_t vocabulary = 0;
  int64_t token_types = 0;           // 0 or 1: the types of tokens are not used
  std::optional<int64_t> positions;  // the longest row that the model takes; none: without limit
  int64_t layers = 0;
  std::string layers_key;  // of config.json
  CheckpointNames names;
  std::optional<ClassifierNames> classifier;        // none: not built
  std::optional<LanguageModelSpec> language_model;  // of the masked language model; none: not built
};

}  // namespace st
