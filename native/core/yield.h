#pragma once

#include <functional>

namespace st {

// Long work calls this between two of its parts: layers, chunks, pieces of an update. What waits may then run on the
// same thread, without the work knowing of it, and without changing a bit of its result. So a call stands only where
// - no parallel loop is open and no thread_scratch() is in use: both belong to the thread;
// - no work of a device is being recorded;
// - the work has not begun a change of something that other engines read.
// Costs one branch where nothing waits.
void yield_here();

// While it lives, yield_here() on this thread calls `work`, which lives as long; not from inside of it.
class Yields {
 public:
  explicit Yields(const std::function<void()>& work);
  explicit Yields(std::function<void()>&&) = delete;
  ~Yields();
  Yields(const Yields&) = delete;
  Yields& operator=(const Yields&) = delete;

 private:
  const std::function<void()>* outer_;
};

// While it lives, yield_here() on this thread does nothing.
class NoYields {
 public:
  NoYields();
  ~NoYields();
  NoYields(const NoYields&) = delete;
  NoYields& operator=(const NoYields&) = delete;

 private:
  const std::function<void()>* outer_;
};

}  // namespace st
