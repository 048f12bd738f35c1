#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/collective.h"
#include "engine/trained.h"
#include "optim/shares.h"

namespace st {

// Sums the gradients of a set over all ranks; of the token table only the rows that a rank has read. Those of upper
// layers are sent while the backward pass goes on below them. On a device the host does not wait for sums: what the
// device does next does.
class GradientSums {
 public:
  // `set` has its groups already.
  GradientSums(std::shared_ptr<Collective> ranks, Trained& set);

  // Nothing is added any more to the gradients of this layer and of those above it. All ranks call it in the same
  // order.
  void layer_done(int64_t layer);
  // Sums the rest, and waits for all.
  void finish();
  // Milliseconds in which sums passed beside the backward pass, since the last call.
  double take_hidden_ms() { return std::exchange(hidden_ms_, 0); }

 private:
  using Clock = Collective::Clock;
  struct Range {
    int64_t layer;  // the lowest one of which it has gradients
    int64_t begin, end;
  };
  struct Sent {
    Range range;
    Clock::time_point since;
    std::unique_ptr<Collective::Sum> sum;
  };
  static std::vector<Range> plan(Trained& set);
  // Notes the rows of the token table that other ranks have read.
  void share_touched();
  // What has a gradient and was not sent. `table`: a range that is sent in another way.
  std::vector<Trained::Segment> rest(const std::optional<Span>& table) const;
  // Copies small ranges to one behind the other, or back.
  void pack(const std::vector<Trained::Segment>& small, bool back);
  at::Tensor part(int64_t begin, int64_t end) const;
  // Where the gradient of the token table is, if it has one.
  std::optional<Span> table() const;
  // Of a set on a device: the rows of the table that ranks have read, unless they are most of it.
  at::Tensor rows_of_table(const Span& table);

  std::shared_ptr<Collective> ranks_;
  Trained& set_;
  std::vector<Range> ranges_;  // from the uppermost layer down
  std::vector<Sent> sent_;     // in this step
  at::Tensor packed_;
  double hidden_ms_ = 0;
};

}  // namespace st
