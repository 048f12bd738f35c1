#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/trainer.h"
#include "support.h"
#include "weights.h"

namespace st::test {

inline Config loss_of(const std::string& type, Config::Object options = {}) {
  options["type"] = text(type);
  return options;
}

// Config changes that switch dropout off.
inline Config::Object no_dropout() {
  return {{"hidden_dropout_prob", 0.0}, {"attention_probs_dropout_prob", 0.0}};
}

inline std::shared_ptr<Encoder> encoder_of(const std::string& dtype = "float32", const Config::Object& changes = {}) {
  auto encoder = std::make_shared<Encoder>(tiny_bert({pooling({"mean"}), dense(12, 6, "tanh")}, dtype, changes));
  load_weights(*encoder, random_weights(*encoder, 1));
  return encoder;
}

inline TrainerSpec spec_of(const Config& loss) {
  TrainerSpec spec;
  spec.losses = {{"", loss}};
  spec.optimizer = Config::Object{{"type", text("adamw")}};
  spec.weight_decay = 0.01;
  spec.seed = 42;
  return spec;
}

// Four rows of two columns, with scores.
inline PackedBatch scored_batch() {
  PackedBatch batch = batch_of({5, 1, 12, 3, 4, 2, 20, 1}, 11, 2, 2);
  batch.labels = std::vector<float>{1, 0.25, 0.5, 0};
  return batch;
}

inline PackedBatch classified_batch() {
  PackedBatch batch = scored_batch();
  batch.labels = std::vector<int32_t>{2, 0, 1, 1};
  return batch;
}

inline const StepOptions kUpdate{.rates = {1e-2}, .report = true};
inline const StepOptions kGradientsOnly{.update = false, .report = true};

inline double norm(const std::map<std::string, std::vector<double>>& tensors) {
  double squares = 0;
  for (const auto& [name, values] : tensors) {
    for (double value : values) squares += value * value;
  }
  return std::sqrt(squares);
}

inline double largest_difference(const Weights& a, const Weights& b) {
  double largest = 0;
  EXPECT_EQ(a.size(), b.size());
  for (const auto& [name, values] : a) {
    for (size_t i = 0; i < values.size(); ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(values[i]) - b.at(name)[i]));
    }
  }
  return largest;
}

inline double largest(const Weights& tensors) {
  Weights zeros = tensors;
  for (auto& [name, values] : zeros) std::fill(values.begin(), values.end(), 0.0F);
  return largest_difference(tensors, zeros);
}

}  // namespace st::test
