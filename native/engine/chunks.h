#pragma once

#include <memory>
#include <vector>

#include "engine/training_pass.h"

namespace st {

// Rows of a batch that pass a network at once. All chunks together are the batch, in order.
struct Chunk {
  size_t part;  // which set of parameters: 0 = the encoder, 1 = its twin
  Network* network;
  int64_t begin, end;
};

struct ChunkPlan {
  int64_t rows = 0, tokens = 0;  // per chunk at most; 0 = no limit
  Network* twin = nullptr;       // of the first column
};

std::vector<Chunk> plan_chunks(const Rows& batch, Network& network, const ChunkPlan& plan);

// A batch on its way through networks, chunk by chunk, as if it passed at once: dropout masks depend on the row in the
// whole batch. This is gradient caching (Gao et al. 2021, "Scaling deep contrastive learning batch size under memory
// limited setup"): forward() keeps the activations of each network's last chunk alone, backward() runs the others
// again.
class ChunkedPass {
 public:
  ChunkedPass(const Rows& batch, std::vector<Chunk> chunks, const DropoutKey& dropout, const Network::Wanted& wanted);

  Network::Output forward();
  // `gradients`: by part.
  void backward(const Network::Output& gradient, const std::vector<Gradients*>& gradients);

 private:
  Network::Output run(const Chunk& chunk, const Input& input) const;
  DropoutKey key_of(const Chunk& chunk) const;
  bool keeps_state(size_t index) const;

  const Rows& batch_;
  std::vector<Chunk> chunks_;
  DropoutKey dropout_;
  Network::Wanted wanted_;
  std::vector<std::unique_ptr<TrainingPass>> passes_;  // by part
};

}  // namespace st
