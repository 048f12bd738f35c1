#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What the engine answers: see lib/native/types.ts.
namespace st {

struct StepReport {
  double loss = 0;
  int64_t batches = 0;
  std::map<std::string, double> components;
  double grad_norm = 0;
  int64_t updates = 0;
  int64_t skipped = 0;
  double forward_ms = 0, backward_ms = 0, optimizer_ms = 0;
  // Of several processes: waiting for sums of gradients, and sums that passed beside the backward pass.
  double communication_ms = 0, hidden_ms = 0;
  int64_t tokens = 0;
  double mean_cosine = 0;
  std::optional<double> loss_scale;       // of a LossScaler, for the next batch
  std::vector<double> requests;           // StepOptions::requests of all processes since the last report
  std::map<std::string, int64_t> graphs;  // StepGraphs::counts(); empty where steps are not recorded
};

// Bytes that training takes beside the model, at most.
struct TrainingMemory {
  int64_t fixed = 0;  // gradients, moments, copies of weights
  int64_t per_token = 0,
          per_token_recomputed = 0;  // of the tokens that pass the encoder at once; the second with recompute
  int64_t loss = 0;                  // of a whole batch
};

struct Evaluation {
  double loss = 0;
  std::map<std::string, double> components;
};

}  // namespace st
