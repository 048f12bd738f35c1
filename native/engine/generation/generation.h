#pragma once

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "core/workspace.h"
#include "engine/encoder.h"
#include "engine/generation/options.h"
#include "layers/cached_attention.h"

namespace st {

class Network;
class Search;

// Texts that a model with its decoder writes, one answer or several to each prompt. The work is cut into short jobs, so
// that others have their turn. Weights must not change in between.
class Generation {
 public:
  // Throws ERR_INVALID_ARGUMENT for options and prompts that do not fit. Takes no memory yet.
  Generation(std::shared_ptr<Encoder> encoder, Rows prompts, const GenerationOptions& options);
  ~Generation();

  // Of all keys and values that it keeps.
  int64_t bytes() const { return bytes_; }

  struct Answer {
    int64_t prompt, number;
    std::vector<int32_t> ids;  // with its end, if it has one
  };
  // Reads a block of prompts, or writes tokens about as long as `budget`, at least one of all texts. Returns the
  // answers that it finished.
  std::vector<Answer> next(std::chrono::duration<double> budget);
  bool is_done() const;
  // Frees the memory. Every later call throws ERR_DISPOSED.
  void dispose();

 private:
  using Copies = std::vector<std::pair<int32_t, int32_t>>;  // slots: from, to
  void reserve();
  void free_memory();
  void read_prompts();
  void write_tokens(std::vector<Answer>& answers);
  std::vector<Copies> choose_tokens(const at::Tensor& scores_RV);
  // The scores of the next token of each row: logits, or their log softmax for beams. float32, on the host.
  at::Tensor scores(const std::vector<int32_t>& ids, const CachedRows& rows);
  int64_t slots() const { return prompts_.rows() * options_.sequences(); }

  std::shared_ptr<Encoder> encoder_;  // null: disposed of
  Network& network_;
  Rows prompts_;
  GenerationOptions options_;
  int64_t bytes_;
  Workspace workspace_;             // of its own: encode() may run inside of its jobs
  std::vector<LayerCache> caches_;  // by layer; empty before the first job
  bool keeps_states_;               // of the encoder, in place of keys and values in each layer
  at::Tensor states_MD_;
  int64_t read_ = 0;                               // prompts, by the encoder
  int32_t written_ = 0;                            // tokens of each unfinished text
  std::vector<std::unique_ptr<Search>> searches_;  // unfinished ones
};

}  // namespace st
