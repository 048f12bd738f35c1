#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "binding/job.h"

namespace st::binding {

// The jobs that wait, in two lanes, each first in, first out. A query overtakes bulk jobs, but for those that were
// submitted before it and may change its engine's weights; nor do such jobs overtake an earlier query. Where both lanes
// wait they take turns, so that queries without end do not stop a training.
class Lanes {
 public:
  void push(std::unique_ptr<Job> job);
  bool empty() const { return jobs_.empty(); }
  bool has_queries() const { return queries_ > 0; }

  // The job that runs next; null if none waits.
  std::unique_ptr<Job> next();
  // The query that may run inside of `outer`; null if there is none.
  std::unique_ptr<Job> next_inside(const Job& outer);
  // Removes jobs, in their order.
  std::vector<std::unique_ptr<Job>> remove(const std::function<bool(const Job&)>& which);

 private:
  using Place = std::deque<std::unique_ptr<Job>>::iterator;
  // The first query that overtakes all jobs in front of it and that `may` run.
  Place first_query(const std::function<bool(const Job&)>& may);
  std::unique_ptr<Job> take(Place place);

  std::deque<std::unique_ptr<Job>> jobs_;  // of both lanes, in the order of submission
  size_t queries_ = 0;
  bool bulk_turn_ = false;
};

}  // namespace st::binding
