#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"

namespace st {

// The values of a new tensor: `mean` everywhere, or drawn around it.
struct Initial {
  double mean = 0;
  double deviation = 0;     // of a normal distribution; 0: none
  double cutoff = 0;        // in deviations, beyond which no value lies; 0: none
  double bound = 0;         // of a uniform distribution, to each side; 0: none
  bool has_padding = true;  // whether the row of a padding token is 0
};

// `initializer_range` of config.json as transformers reads it: 0 and null count as 0.02.
double initializer_range(const Config& config);
// PreTrainedModel._init_weights of transformers, for most architectures: matrices are drawn, norms start at 1, biases
// at 0. `name` is that of the bare model.
Initial usual_initial(const Config& config, const std::string& name, const std::vector<int64_t>& shape);
// The usual one of norms and biases.
Initial initial_vector(const std::string& name);
// torch.nn.Linear, weight and bias.
Initial linear_initial(int64_t inputs);

// Fills `out`, of any device and float type.
void draw(const Initial& initial, at::Tensor out, const at::Generator& generator);

}  // namespace st
