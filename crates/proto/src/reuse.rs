//! Lists of borrowed packets that are filled and emptied for each batch, without an allocation each
//! time.

/// Turns a list of the last batch into an empty list for the next one, whose elements have another
/// lifetime, in the same memory. The standard library collects in place if the elements have the
/// same layout, as they have here; the allocation tests check that.
pub(crate) fn reuse<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    list.into_iter().filter_map(|_| None).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_memory_stays() {
        let text = String::from("ab");
        let mut list: Vec<&str> = Vec::with_capacity(100);
        list.push(&text);
        let place = list.as_ptr() as usize;
        let other: Vec<&'static str> = super::reuse(list);
        assert_eq!((other.as_ptr() as usize, other.capacity(), other.len()), (place, 100, 0));
    }
}
