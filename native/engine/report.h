#pragma once

#include <cstdint>
#include <map>
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
  std::vector<double> requests;           // StepOptions::requests of all processes since the last report
  std::map<std::string, int64_t> graphs;  // StepGraphs::counts(); empty where steps are not recorded
};

struct Evaluation {
  double loss = 0;
  std::map<std::string, double> components;
};

}  // namespace st
