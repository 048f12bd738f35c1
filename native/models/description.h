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
  // Bare names, before renaming, of tensors that count where a file also has another one for the same.
  std::vector<std::string> preferred;
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

// The model for text to text of which an architecture is the encoder: what TypeScript needs of its decoder.
struct GeneratorSpec {
  std::string class_name;  // of transformers
  int64_t layers = 0;
  std::string layers_key;             // of config.json
  std::string layer;                  // in front of the number of a layer
  std::vector<std::string> left_out;  // replaces that of the names where the decoder is loaded
  std::string head, table;            // matrix of the last layer, and the table of words that may be in its place
  std::vector<std::string> copies;    // further names of the table, under which files repeat it
  std::optional<int64_t> start,
      padding;                // tokens: what a text begins with, and what stands for -100 in front of a token
  std::vector<int64_t> ends;  // tokens that end a text
};

// The model for the next token of which an architecture is the body, as transformers has it.
struct CausalSpec {
  std::string class_name;             // of transformers
  std::string prefix;                 // under which its checkpoints keep the body
  std::vector<std::string> left_out;  // replaces that of the names where the last layer is loaded
  std::string head, table;            // matrix of the last layer, and the table of words that may be in its place
  bool tied = false;                  // whether config.json says that it is
  double softcap = 0;                 // logits are softcap * tanh(logits / softcap); 0: as they are
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
  std::optional<GeneratorSpec> generator;           // none: it is not an encoder with a decoder
  std::optional<CausalSpec> causal;                 // none: not built
};

}  // namespace st
