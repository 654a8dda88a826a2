//! What a certificate and its path of headers must say before a block becomes final.

use super::*;

/// Three blocks, each on the one before, executed but not committed.
fn three(ledger: &mut Ledger) -> [(Block, BlockResult); 3] {
    let tip = ledger.tip().clone();
    let (mut parent, mut result) = (tip.block, tip.result);
    [1, 2, 3].map(|height| {
        let block = block(height, parent, &result);
        result = ledger.execute(&block).unwrap().result;
        parent = block.hash();
        (block, result)
    })
}

#[test]
fn the_path_leads_from_the_block_to_the_certified_one() {
    let mut opened = memory(&MemDisk::new(30), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let [(first, _), (second, second_result), (third, third_result)] = three(ledger);
    let last = certify(&third, &third_result);
    let headers = [second.header.clone(), third.header.clone()];
    let changes: [fn(&mut Vec<Header>); 6] = [
        |path| path[1].parent = BlockHash([9; 32]),
        |path| path[0].parent = BlockHash([9; 32]),
        |path| path[1].height = Height(4),
        |path| path[1].epoch = Epoch(1),
        |path| path.truncate(1),
        |path| path.swap(0, 1),
    ];
    for change in changes {
        let mut path = headers.to_vec();
        change(&mut path);
        let refused = ledger.commit(first.hash(), List::new(path).unwrap(), last.clone());
        assert!(matches!(refused, Err(LedgerError::Certificate(_))));
    }
    let path = List::new(headers.to_vec()).unwrap();
    let other = certify(&second, &second_result);
    let refused = ledger.commit(first.hash(), path.clone(), other);
    assert!(matches!(refused, Err(LedgerError::Certificate(_))), "not the last header's certificate");
    let changes: [fn(&mut CommitCertificate); 3] =
        [|c| c.height = Height(2), |c| c.epoch = Epoch(1), |c| c.block_hash = BlockHash([9; 32])];
    for change in changes {
        let mut certificate = last.clone();
        change(&mut certificate);
        let refused = ledger.commit(first.hash(), path.clone(), certificate);
        assert!(matches!(refused, Err(LedgerError::Certificate(_))));
    }
    // A child that is linked and certified, but is not the next one of the epoch.
    let changes: [fn(&mut Header); 2] = [|child| child.height = Height(3), |child| child.epoch = Epoch(1)];
    for change in changes {
        let mut child = second.clone();
        change(&mut child.header);
        let certificate = CommitCertificate { epoch: Epoch(0), ..certify(&child, &second_result) };
        let refused = ledger.commit(first.hash(), List::new(vec![child.header]).unwrap(), certificate);
        assert!(matches!(refused, Err(LedgerError::Certificate(_))));
    }
    ledger.commit(first.hash(), path, last.clone()).unwrap();
    ledger.commit(second.hash(), List::new(vec![third.header.clone()]).unwrap(), last.clone()).unwrap();
    ledger.commit(third.hash(), List::default(), last).unwrap();
}

#[test]
fn a_height_or_epoch_that_does_not_follow_the_tip_is_refused() {
    let mut opened = memory(&MemDisk::new(31), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let changes: [fn(&mut Header); 2] =
        [|header| header.height = Height(2), |header| header.epoch = Epoch(1)];
    for change in changes {
        let mut odd = block(1, tip.block, &tip.result);
        change(&mut odd.header);
        let result = ledger.execute(&odd).unwrap().result;
        let refused = ledger.commit(odd.hash(), List::default(), certify(&odd, &result));
        assert!(matches!(refused, Err(LedgerError::Certificate(_))));
    }
}

/// R36: what others certified and this node did not get is no fault of the certificate.
#[test]
fn another_result_than_the_own_one_is_told_apart() {
    let mut opened = memory(&MemDisk::new(32), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let [(first, own), (second, second_result), _] = three(ledger);
    let other = BlockResult { state_root: StateRoot([9; 32]), ..own };
    let diverged = |refused: Result<_, LedgerError>| match refused {
        Err(LedgerError::Diverged { height, own, certified }) => (height, own, certified),
        unexpected => panic!("{unexpected:?}"),
    };
    let directly = ledger.commit(first.hash(), List::default(), certify(&first, &other));
    assert_eq!(diverged(directly), (Height(1), own.hash(), other.hash()));
    let mut child = second.clone();
    child.header.parent_result = other.hash();
    let path = List::new(vec![child.header.clone()]).unwrap();
    let by_child = ledger.commit(first.hash(), path, certify(&child, &second_result));
    assert_eq!(diverged(by_child), (Height(1), own.hash(), other.hash()));
    ledger.commit(first.hash(), List::default(), certify(&first, &own)).unwrap();
    let result = ledger.execute(&child).unwrap().result;
    let late = ledger.commit(child.hash(), List::default(), certify(&child, &result));
    assert_eq!(diverged(late), (Height(1), own.hash(), other.hash()), "the child's header tells too");
    ledger.commit(second.hash(), List::default(), certify(&second, &second_result)).unwrap();
}
