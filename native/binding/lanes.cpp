#include "binding/lanes.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace st::binding {

namespace {

bool is_query(const Job& job) {
  return job.kind().lane == Lane::kQuery;
}

// Whether a job would change the weights of a query that was submitted before it.
template <typename Place>
bool changes_under(Place job, Place begin) {
  const JobKind& kind = (*job)->kind();
  return !kind.reads && kind.engine != nullptr && std::any_of(begin, job, [&](const auto& earlier) {
    return is_query(*earlier) && earlier->kind().engine == kind.engine;
  });
}

}  // namespace

void Lanes::push(std::unique_ptr<Job> job) {
  queries_ += is_query(*job);
  jobs_.push_back(std::move(job));
}

std::unique_ptr<Job> Lanes::take(Place place) {
  std::unique_ptr<Job> job = std::move(*place);
  jobs_.erase(place);
  queries_ -= is_query(*job);
  return job;
}

Lanes::Place Lanes::first_query(const std::function<bool(const Job&)>& may) {
  if (queries_ == 0) return jobs_.end();
  std::vector<const void*> changed;
  for (auto place = jobs_.begin(); place != jobs_.end(); ++place) {
    const JobKind& kind = (*place)->kind();
    const bool waits = std::find(changed.begin(), changed.end(), kind.engine) != changed.end();
    if (is_query(**place) && !waits && may(**place)) return place;
    if (!kind.reads && kind.engine != nullptr && !waits) changed.push_back(kind.engine);
  }
  return jobs_.end();
}

std::unique_ptr<Job> Lanes::next() {
  if (jobs_.empty()) return nullptr;
  const auto query = first_query([](const Job&) { return true; });
  const auto bulk = std::find_if(jobs_.begin(), jobs_.end(), [](const auto& job) { return !is_query(*job); });
  const bool takes_query =
      query != jobs_.end() && (bulk == jobs_.end() || !bulk_turn_ || changes_under(bulk, jobs_.begin()));
  bulk_turn_ = takes_query;
  return take(takes_query ? query : bulk);
}

std::unique_ptr<Job> Lanes::next_inside(const Job& outer) {
  const JobKind& of = outer.kind();
  const auto query =
      first_query([&](const Job& job) { return of.reads || of.engine == nullptr || job.kind().engine != of.engine; });
  return query == jobs_.end() ? nullptr : take(query);
}

std::vector<std::unique_ptr<Job>> Lanes::remove(const std::function<bool(const Job&)>& which) {
  const auto removed = std::stable_partition(jobs_.begin(), jobs_.end(), [&](const auto& job) { return !which(*job); });
  std::vector<std::unique_ptr<Job>> out(std::make_move_iterator(removed), std::make_move_iterator(jobs_.end()));
  jobs_.erase(removed, jobs_.end());
  for (const auto& job : out) queries_ -= is_query(*job);
  return out;
}

}  // namespace st::binding
