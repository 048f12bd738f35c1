#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "optim/lazy_rows.h"
#include "optim/optimizer.h"

namespace st {

// Values, gradients and optimiser of one set of parameters: the encoder's, its twin's, or one loss's.
class Trained {
 public:
  // `prefix` stands before the layout's names.
  Trained(Parameters& parameters, std::string prefix, const Config& optimizer);

  // Group of each named tensor, -1 = frozen; others are in group 0 (decay) or 1 (no decay).
  void set_groups(const std::map<std::string, int>& groups);
  // Frozen tensors do not count, and lose their gradient.
  double squared_norm();
  // One update, with a rate and a weight decay for each group. `keep_gradients`: do not zero them.
  void update(const std::vector<double>& rates, const std::vector<double>& weight_decays, double grad_factor,
              bool keep_gradients);
  // In place of an update.
  void drop_gradients();

  // The flat buffer that a name's prefix (grad., exp_avg., ...) asks for and the name in the layout; nothing for names
  // of other sets. Updates that were put off are done before.
  bool find(const std::string& name, at::Tensor& flat, std::string& in_layout) const;
  // After something was written to what find() gave; `gradients`: maybe to them.
  void loaded(bool gradients);
  const std::string& prefix() const { return prefix_; }
  Parameters& parameters() { return parameters_; }
  Gradients& gradients() { return gradients_; }

  int64_t updates = 0;  // what the bias correction depends on
  bool used = false;    // whether a batch since the last update has reached it

 private:
  struct Segment {
    int64_t begin, end;
    int group;
    bool table;  // the token table, or rows of it
  };
  std::vector<Segment> with_gradients();

  Parameters& parameters_;
  std::string prefix_;
  Gradients gradients_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<LazyRows> lazy_rows_;
  std::vector<Segment> segments_;
};

}  // namespace st
