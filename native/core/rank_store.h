#pragma once

#include <c10/util/intrusive_ptr.h>

#include <chrono>
#include <exception>
#include <memory>
#include <string>

#include "core/collective.h"

namespace c10d {
class Store;
}

namespace st {

// What an exception of c10d says, without the place in its source.
std::string c10d_reason(const std::exception& error);

// Where the ranks of a training meet, and tell each other why they end: a TCPStore of c10d, which rank 0 serves, or a
// launcher.
class RankStore {
 public:
  // Throws ERR_DISTRIBUTED where the store is not reached in time.
  explicit RankStore(const CollectiveSpec& spec);

  // Waits until all ranks are here. Throws ERR_DISTRIBUTED, which names who is missing or what does not fit, on all.
  void arrive();
  // Who is missing. Every rank that has lost the others says so. Who says nothing, or that it ends, is the cause.
  std::string roll_call();
  // See Collective::leave.
  void leave(const std::string& why);
  // The store lives as long as others read it.
  void linger();

  const c10::intrusive_ptr<c10d::Store>& store() const;
  // What is left of the time to join in, and a little more for whoever came late.
  std::chrono::milliseconds left_to_join() const;

 private:
  struct State;

  CollectiveSpec spec_;
  std::chrono::steady_clock::time_point deadline_;  // of joining
  std::shared_ptr<State> state_;
  bool has_left_ = false;
};

}  // namespace st
